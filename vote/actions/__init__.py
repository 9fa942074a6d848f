"""Verbs that change things: keyword-only, with `by=`. Each loads, decides, writes and commits, then announces the change."""
