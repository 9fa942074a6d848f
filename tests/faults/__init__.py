"""Planted faults: for each promise the code is broken once, and a test must go red. `python -m tests.faults` runs them.

Each subject has its table; `__main__.py` plants one fault at a time into a copy of the tree and runs the tests named there.
"""
