"""A Redis server's memory and the state of its append-only file, for monitoring."""

from typing import Final, NamedTuple

from redis.exceptions import ResponseError

from seating.domain.errors import SharedStateUnavailable
from seating.redis_store.calls import Calls
from seating.redis_store.failures import unavailable
from seating.redis_store.server_report import info_fields

FSYNC_WITHIN_S: Final = 20
"""Somewhat longer than most scrape intervals: no fsync falls between two scrapes."""


class ServerFigures(NamedTuple):
    """`fsync_s` is the longest fsync of the last `FSYNC_WITHIN_S`, as Redis's latency monitor measured it: 0 if none
    reached its threshold, None if it is off or this client may not ask it.

    `aof_ok`: the last write of the append-only file and its last rewrite succeeded.
    """

    memory_bytes: int
    memory_limit_bytes: int
    aof_ok: bool
    fsync_s: float | None


def read(calls: Calls) -> ServerFigures:
    """Ask the server. Raises SharedStateUnavailable."""
    with unavailable(SharedStateUnavailable):
        memory, persistence = map(info_fields, calls.commands([("INFO", "memory"), ("INFO", "persistence")]))
        return ServerFigures(
            int(memory["used_memory"]),
            int(memory["maxmemory"]),
            persistence.get("aof_last_write_status") == persistence.get("aof_last_bgrewrite_status") == "ok",
            _longest_fsync_s(calls),
        )


def _longest_fsync_s(calls: Calls) -> float | None:
    """The monitor keeps the longest of each second, of 160 seconds that had one."""
    asking = (("CONFIG", "GET", "latency-monitor-threshold"), ("TIME",), ("LATENCY", "HISTORY", "aof-fsync-always"))
    try:
        setting, (now_s, _), history = calls.commands(asking)
    except ResponseError:
        return None
    if not setting or setting[1] == b"0":
        return None
    return max((ms for at_s, ms in history if at_s > int(now_s) - FSYNC_WITHIN_S), default=0) / 1000
