"""Schedules retries of failed persistence, after 2, 4, 8 … 60 s, with keys that expire in Redis."""

from typing import NamedTuple

from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts

_FIRST_WAIT_S = 2
_LONGEST_WAIT_S = 60
# Longer than the longest wait, or each failure would count as the first.
_FAILURES_KEPT_S = 600
_FOR_SQL = b"sql"
_FOR_ANOTHER_REASON = b"other"


class Retry(NamedTuple):
    """Whether an event has `failed`, and whether it still `waits` for its next attempt.

    `waits_for_sql` is whether it does so because SQL did not answer.
    """

    failed: bool
    waits: bool
    waits_for_sql: bool


class PersistRetries:
    """Shared by all workers."""

    def __init__(self, calls: Calls) -> None:
        self._scripts = EventScripts(calls)

    def is_due(self, event_id: str) -> bool:
        """Return whether the event may be tried now."""
        return not self.read(event_id).waits

    def read(self, event_id: str) -> Retry:
        failures, waits = self._scripts.ask("MGET", keys.retry(event_id), keys.retry_wait(event_id))
        return Retry(failures is not None, waits is not None, waits == _FOR_SQL)

    def postpone(self, event_id: str, *, for_sql: bool = False) -> None:
        """Note a failure, `for_sql` if SQL did not answer."""
        failures = int(self._scripts.ask("INCR", keys.retry(event_id)))
        # The exponent has a bound of its own: after days of failures the power would be huge.
        wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(failures - 1, 10))
        # Failures of an event that is gone must not stay in Redis for good.
        self._scripts.ask("EXPIRE", keys.retry(event_id), _FAILURES_KEPT_S)
        self._scripts.ask("SET", keys.retry_wait(event_id), _FOR_SQL if for_sql else _FOR_ANOTHER_REASON, "EX", wait_s)

    def end_wait(self, event_id: str) -> None:
        """Make the next attempt due now. If it fails as well, the wait after it is longer than this one."""
        self._scripts.ask("DEL", keys.retry_wait(event_id))

    def forget(self, event_id: str) -> None:
        """Clear the failures after a success."""
        self._scripts.ask("DEL", keys.retry(event_id), keys.retry_wait(event_id))
