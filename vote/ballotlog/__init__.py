"""The ballot log: the durable, sharded, ordered log between web and worker. The only folder with Redis keys of voting.

`box.lua` documents every key and decides in the shard, `box.py` casts in batches, `log.py` reads, pushes and makes ready.
"""
