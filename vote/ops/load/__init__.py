"""The load tester behind `vote load`: people and competitions of its own, votes at times set beforehand, then a count.

Its words and arguments are in `vote/ops/commands/load.py`. What each module does: `plan` who votes when, `target` whom
it may be aimed at, `voter_accounts` and `competitions` what it makes and takes away, `lanes` and `generator` the
requests, `histogram` and `measurements` the times, `reconcile` and `verdict` whether a vote was lost, `limits` pass or
fail, `report` and `plots` the page.
"""
