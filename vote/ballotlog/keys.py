"""The names of the log's keys (`box.lua` says what each holds). The hash tag keeps a shard in one slot of a cluster."""


def log(shard: int) -> str:
    """Return the key of the stream."""
    return f"vote:{{{shard}}}:log"


def state(shard: int) -> str:
    """Return the key of epoch, last position and readiness."""
    return f"vote:{{{shard}}}:state"


def read(shard: int) -> str:
    """Return the key of how far a worker had read when it last waited for the replicas; nothing reads it."""
    return f"vote:{{{shard}}}:read"


def rules(shard: int) -> str:
    """Return the key of the rules per competition."""
    return f"vote:{{{shard}}}:rules"


def voters(shard: int, competition: int) -> str:
    """Return the key of the stored choice per voter of a competition."""
    return f"vote:{{{shard}}}:voters:{competition}"


def worker_turn(installation: str) -> str:
    """Return the key set when a worker has finished a turn; its remaining time to live says when."""
    return f"vote:heartbeat:{installation}:worker"


def database_reached(installation: str) -> str:
    """Return the key set while someone reaches PostgreSQL."""
    return f"vote:heartbeat:{installation}:database"
