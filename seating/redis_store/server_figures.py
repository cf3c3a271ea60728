"""The memory of Redis and the state of its append-only file, for monitoring."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import gevent
from redis.exceptions import ResponseError

from seating.domain.errors import SharedStateUnavailable
from seating.redis_store.calls import Calls, RedisUnavailable
from seating.redis_store.failures import FAILURES, unavailable
from seating.redis_store.server_report import info_fields

FSYNC_WITHIN_S: Final = 20
"""Somewhat longer than most scrape intervals: no fsync falls between two scrapes."""
ANSWERED_WITHIN_S: Final = 0.7
"""In less than the second that a scrape waits for Redis."""


class ServerFigures(NamedTuple):
    """`fsync_s` is the longest fsync of the last `FSYNC_WITHIN_S`, as Redis's latency monitor measured it: 0 if none
    reached its threshold, None if it is off or this client may not ask it.

    `aof_ok`: the last write of the append-only file and its last rewrite succeeded.

    `durable`: it has the settings without which nothing is sold.

    Of a cluster, the memory is of its fullest primary, `fsync_s` is the longest, and the rest is true if it is of all:
    of those primaries that answer.
    """

    memory_bytes: int
    memory_limit_bytes: int
    aof_ok: bool
    fsync_s: float | None
    durable: bool


def read(calls: Calls) -> ServerFigures:
    """Ask each primary. Raises SharedStateUnavailable if none answers.

    Of several, each must answer within `ANSWERED_WITHIN_S`.
    """
    with unavailable(SharedStateUnavailable):
        servers = calls.primaries()
        each = [_read(servers[0])] if len(servers) == 1 else _read_those_that_answer(servers)
    fullest = max(each, key=lambda one: one.memory_bytes / (one.memory_limit_bytes or math.inf))
    fsyncs_s = [one.fsync_s for one in each if one.fsync_s is not None]
    return fullest._replace(
        aof_ok=all(one.aof_ok for one in each),
        fsync_s=max(fsyncs_s, default=None),
        durable=all(one.durable for one in each),
    )


def _read_those_that_answer(servers: Sequence[Calls]) -> list[ServerFigures]:
    asking = [gevent.spawn(_read_or_failure, server) for server in servers]
    try:
        gevent.joinall(asking, timeout=ANSWERED_WITHIN_S)
    finally:
        gevent.killall(asking, block=False)
    found = [greenlet.value for greenlet in asking]
    figures = [one for one in found if isinstance(one, ServerFigures)]
    if not figures:
        raise next((one for one in found if isinstance(one, Exception)), RedisUnavailable("no primary answers"))
    return figures


def _read_or_failure(server: Calls) -> ServerFigures | Exception:
    try:
        return _read(server)
    except FAILURES as error:
        return error


def _read(server: Calls) -> ServerFigures:
    memory, persistence = map(info_fields, server.commands([("INFO", "memory"), ("INFO", "persistence")]))
    return ServerFigures(
        int(memory["used_memory"]),
        int(memory["maxmemory"]),
        persistence.get("aof_last_write_status") == persistence.get("aof_last_bgrewrite_status") == "ok",
        _longest_fsync_s(server),
        not server.missing_durability,
    )


def _longest_fsync_s(server: Calls) -> float | None:
    """The monitor keeps the longest of each second, of 160 seconds that had one."""
    asking = (("CONFIG", "GET", "latency-monitor-threshold"), ("TIME",), ("LATENCY", "HISTORY", "aof-fsync-always"))
    try:
        setting, (now_s, _), history = server.commands(asking)
    except ResponseError:
        return None
    if not setting or setting[1] == b"0":
        return None
    return max((ms for at_s, ms in history if at_s > int(now_s) - FSYNC_WITHIN_S), default=0) / 1000
