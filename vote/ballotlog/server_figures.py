"""Figures of the log's server, from one INFO: memory, replicas, and whether it takes writes.

Fields: https://redis.io/docs/latest/commands/info/
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

SECTIONS = ("memory", "persistence", "replication")  # INFO takes several since Redis 7.0


class LogServerFigures(NamedTuple):
    """The figures of the server that answers now. `memory_limit_bytes` is 0 without maxmemory.

    `is_writable`: a ballot would be accepted, as far as the server's own figures tell: it is a primary, has loaded its data,
    could write them when it last did, has memory left, and as many replicas in sync as are waited for.
    """

    memory_bytes: int
    memory_limit_bytes: int
    replicas: int
    is_writable: bool

    @classmethod
    def parse(cls, info: Mapping[str, Any], *, min_replicas: int) -> "LogServerFigures":
        """Parse the answer of INFO."""
        used, limit = int(info["used_memory"]), int(info.get("maxmemory", 0))
        in_sync = [value for name, value in info.items() if name.startswith("slave") and _is_online(value)]
        is_full = limit > 0 and used - int(info.get("mem_not_counted_for_evict", 0)) >= limit
        is_writable = (
            info.get("role") == "master"
            and not int(info.get("loading", 0))
            and info.get("aof_last_write_status", "ok") == "ok"
            and not is_full
            and len(in_sync) >= min_replicas
        )
        return cls(used, limit, int(info.get("connected_slaves", 0)), is_writable)


def _is_online(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("state") == "online"
