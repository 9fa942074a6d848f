"""The names of the log's keys (`box.lua` says what each holds). The hash tag keeps a shard in one slot of a cluster."""


def log(shard: int) -> str:
    """The stream."""
    return f"vote:{{{shard}}}:log"


def state(shard: int) -> str:
    """Epoch, last position, readiness."""
    return f"vote:{{{shard}}}:state"


def read(shard: int) -> str:
    """How far a worker had read when it last waited for the replicas; nobody reads it."""
    return f"vote:{{{shard}}}:read"


def rules(shard: int) -> str:
    """Rules per competition."""
    return f"vote:{{{shard}}}:rules"


def voters(shard: int, competition: int) -> str:
    """The stored choice per voter of a competition."""
    return f"vote:{{{shard}}}:voters:{competition}"


def worker_turn(installation: str) -> str:
    """Set when a worker has done a turn; what is left of its time to live says when."""
    return f"vote:heartbeat:{installation}:worker"


def database_reached(installation: str) -> str:
    """Set while somebody has an answer of PostgreSQL."""
    return f"vote:heartbeat:{installation}:database"
