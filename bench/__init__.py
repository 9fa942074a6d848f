"""Speed, measured side by side: our system beside plain servers doing the same work, interleaved in one run.

Figures of one machine at one moment mean little; ratios of one run mean much. `python -m bench` (or `make bench`) prints
them and writes `results.json`; `docs/performance.md` says how to read them. Bare names here (voters, load, ground) are
modules of this package; nothing in `vote/` knows it.
"""
