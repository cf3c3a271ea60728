"""When an event whose persistence failed is to be tried again: after 2, 4, 8 … 60 s."""

from typing import Any

from redis.exceptions import ResponseError

from seating.domain.errors import InventoryUnavailable
from seating.redis_store import keys
from seating.redis_store.calls import Calls, RedisUnavailable

_FIRST_WAIT_S = 2
_LONGEST_WAIT_S = 60


class Retries:
    """Shared by all workers. Times are in seconds since 1970, by the caller's clock."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def is_due(self, event_id: str, now_s: float) -> bool:
        """Whether nothing speaks against trying now."""
        until = self._ask("HGET", keys.retry(event_id), "until")
        try:
            return until is None or float(until) <= now_s
        except ValueError:
            return True  # Nobody has written that; the next failure or success replaces it.

    def postpone(self, event_id: str, now_s: float) -> int:
        """After one more failure; the seconds until the next try."""
        failures = int(self._ask("HINCRBY", keys.retry(event_id), "failures", 1))
        wait_s: int = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(failures - 1, 10))
        self._ask("HSET", keys.retry(event_id), "until", str(now_s + wait_s))
        return wait_s

    def forget(self, event_id: str) -> None:
        """After a success."""
        self._ask("DEL", keys.retry(event_id))

    def _ask(self, *words: str | int) -> Any:
        try:
            return self._calls.command(*words)
        except (RedisUnavailable, ResponseError) as error:
            raise InventoryUnavailable from error
