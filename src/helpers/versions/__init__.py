"""What each version of FunASR does, asked of its own code: "since when" for every finding.

`python -m helpers.versions --record` unpacks wheels beside the installed torch, runs the same small
probes in one process a version, and writes `funasr_preflight/versions.json`. `record` reads that
file and makes the rows of a page; it imports neither torch nor funasr.
"""
