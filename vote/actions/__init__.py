"""Actions that change data: keyword-only, with `by=`. Each loads, decides, writes and commits, then announces the
change.
"""
