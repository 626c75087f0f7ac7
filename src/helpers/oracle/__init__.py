"""How often the checker is right: drawn launches, judged by FunASR itself, compared.

`cases` draws a launch from a seed, `judge` lets FunASR run it at mini size, `verdicts` asks the
checker about the same launch and compares, `record` keeps what was found.
"""
