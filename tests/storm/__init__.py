"""The storm: people vote while everything is killed and frozen at random; then it heals, drains and is counted.

`python -m tests.storm` (or `make storm`) runs it on a `vote up` of its own. `people.py` presses, `chaos.py` kills,
`set_back.py` sets the log back, `recorder.py` keeps what everybody was told, `verdict.py` compares it with the books. The
words are Jepsen's: an attempt ends ok (acknowledged), fail (surely not counted) or info (unknown).
"""
