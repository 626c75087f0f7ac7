"""What FunASR does with a config, as pure functions of numbers and names: one place for each law.

The checker, the chapters and the cheat sheet all ask here. FunASR itself is the oracle in
`tests/preflight/test_laws.py`.
"""
