"""The ballot log: the durable, sharded, ordered log between web and worker. All Redis keys of voting are in this folder.

`box.lua` documents every key and decides inside the shard, `ballot_box.py` casts in batches, `log.py` reads, pushes rules
and makes shards ready.
"""
