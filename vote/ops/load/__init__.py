"""The load tester behind `vote load`: makes its own voters and competitions, votes on a fixed schedule, then counts.

Command line and options are in `vote/ops/commands/load.py`. `plan` decides who votes when, `target` which deployments it may
load, `voter_accounts` and `competitions` create and remove test data, `lanes` and `generator` send the requests, `histogram`
and `measurements` record times, `probe` and `exchanges` measure the database, `reconcile` and `verdict` look for lost votes,
`limits` decides pass or fail, `report` and `plots` present the result.
"""
