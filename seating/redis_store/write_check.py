"""Check whether Redis would accept a buyer's change now, without making one."""

from enum import StrEnum
from typing import Final, NamedTuple

from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from seating.redis_store.calls import Calls, RedisUnavailable
from seating.redis_store.server_report import info_fields


class RedisState(StrEnum):
    UP = "up"
    DOWN = "down"
    REFUSES = "refuses writes"
    FULL = "full"
    NOT_DURABLE = "not durable"


class WriteVerdict(NamedTuple):
    """`reason` says why `state` is not UP, in the server's own words if possible."""

    state: RedisState
    reason: str = ""


# The driver's message contains addresses, and this response is public.
_DOWN: Final = WriteVerdict(RedisState.DOWN, "it does not answer")


class WriteCheck:
    """Redis counts as full above `most_percent` of its maxmemory: purchases are refused from there on."""

    def __init__(self, calls: Calls, most_percent: int) -> None:
        self._calls = calls
        self._most_percent = most_percent

    def run(self) -> WriteVerdict:
        """Return the verdict on Redis. A cluster is UP while one of its primaries is; `reason` tells of the others."""
        try:
            servers = self._calls.primaries()
        except RedisUnavailable:
            return _DOWN
        verdicts = [self._verdict_on(server) for server in servers]
        wrong = [verdict for verdict in verdicts if verdict.state is not RedisState.UP]
        if not wrong:
            return WriteVerdict(RedisState.UP)
        if len(wrong) == len(verdicts):
            return wrong[0]
        parts = "; ".join(f"{verdict.state.value}: {verdict.reason}" for verdict in wrong)
        return WriteVerdict(RedisState.UP, f"{len(wrong)} of {len(verdicts)} primaries: {parts}")

    def _verdict_on(self, server: Calls) -> WriteVerdict:
        try:
            # Redis refuses it whenever it would refuse a purchase. As it writes nothing, nothing is synced.
            # It names no key: this server may have none of it.
            server.script("can_write", (), ())
            used_percent = _used_percent(server)
        except OutOfMemoryError as error:
            return WriteVerdict(RedisState.FULL, str(error))
        except ResponseError as error:
            return WriteVerdict(RedisState.REFUSES, str(error))
        except (RedisUnavailable, RedisError):
            return _DOWN
        if missing := server.missing_durability:
            return WriteVerdict(RedisState.NOT_DURABLE, missing)
        if used_percent > self._most_percent:
            return WriteVerdict(RedisState.FULL, f"{used_percent:.0f} % of maxmemory is in use")
        return WriteVerdict(RedisState.UP)


def _used_percent(server: Calls) -> float:
    memory = info_fields(server.command("INFO", "memory"))
    limit = int(memory["maxmemory"])
    return 100 * int(memory["used_memory"]) / limit if limit else 0.0
