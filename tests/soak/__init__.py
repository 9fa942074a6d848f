"""The soak: the whole system under a steady load for a long time; what it holds must not grow, and nothing may be lost.

`python -m tests.soak` (or `make soak`) runs it on a `vote up` of its own. `load.py` is the people, `samples.py` looks at
processes and stores, `judge.py` fits a slope to what it saw and holds it against a limit.
"""
