"""Check whether Redis would accept a buyer's change now, without making one."""

from enum import StrEnum
from typing import Final, NamedTuple

from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from seating.redis_store import keys
from seating.redis_store.calls import Calls, RedisUnavailable
from seating.redis_store.server_report import info_fields

_ANY_KEY: Final = keys.inventory("any")


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


class WriteCheck:
    """Redis counts as full above `most_percent` of its maxmemory: purchases are refused from there on."""

    def __init__(self, calls: Calls, most_percent: int) -> None:
        self._calls = calls
        self._most_percent = most_percent

    def run(self) -> WriteVerdict:
        try:
            self._calls.script("can_write", (_ANY_KEY,), ())
            used_percent = self._used_percent()
        except OutOfMemoryError as error:
            return WriteVerdict(RedisState.FULL, str(error))
        except ResponseError as error:
            return WriteVerdict(RedisState.REFUSES, str(error))
        except (RedisUnavailable, RedisError):
            # The driver's message contains addresses, and this response is public.
            return WriteVerdict(RedisState.DOWN, "it does not answer")
        if missing := self._calls.missing_durability:
            return WriteVerdict(RedisState.NOT_DURABLE, missing)
        if used_percent > self._most_percent:
            return WriteVerdict(RedisState.FULL, f"{used_percent:.0f} % of maxmemory is in use")
        return WriteVerdict(RedisState.UP)

    def _used_percent(self) -> float:
        memory = info_fields(self._calls.command("INFO", "memory"))
        limit = int(memory["maxmemory"])
        return 100 * int(memory["used_memory"]) / limit if limit else 0.0
