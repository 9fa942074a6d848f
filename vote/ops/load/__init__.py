"""The load tester behind `vote load`: makes its own voters and competitions, votes on a fixed schedule, then counts.

Command line and options are in `vote/ops/commands/load.py`. `run` does one load; `plan` decides who votes when, `target`
which deployments it may load, `provisioning` creates and removes test data, `client` sends the requests, `measurements`
records times, `verdict` looks for lost votes and decides pass or fail, `report` and `html_report` present the result.
"""
