"""Prometheus metrics, by subject. Each process exposes those that its code imports, and what it reads when it is asked.

`registry.py` holds them, `exposition.py` renders them, `folder.py` sums them over the processes of a web.
"""
