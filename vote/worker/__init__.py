"""The worker: records accepted ballots and runs the schedule. Any number of workers share the shards.

`loop.py` is the loop, `worker.py` its steps, `drain.py` records one batch of one shard, `make_ready.py` makes a cold shard
ready, `schedule.py` opens and closes on time.
"""
