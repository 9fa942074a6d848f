"""The worker: records accepted ballots and runs the schedule. Any number of them share the shards.

`main.py` is the loop, `worker.py` its steps, `drain.py` records one batch of one shard, `ready.py` makes a cold shard ready,
`schedule.py` opens and closes on time.
"""
