"""What processes have counted, left in Redis: workers, crons and commands together, web instances a share each."""

from contextlib import suppress
from typing import Any, Final, Literal

import structlog

from seating.domain.errors import SharedStateUnavailable
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.failures import SharedState, unavailable

Counted = Literal[
    "runs", "run_ms", "entries", "batches", "last_run_ms", "rebuilds", "fork_entries", "fork_entries_quarantined"
]

KEPT_MS: Final = 5000
"""How long a share of an instance is kept that does not renew it."""

_LAST_RUN: Final = "last_run_ms"

_log = structlog.get_logger(__name__)


class BackgroundCounts:
    """Of the processes that nobody scrapes. One hash, which stays; a count that cannot be written is lost."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def add_run(self, entries: int, batches: int, seconds: float) -> None:
        """Count a worker's run, and note when it ended."""
        self._add({"runs": 1, "run_ms": round(seconds * 1000), "entries": entries, "batches": batches}, _LAST_RUN)

    def add_rebuild(self, forked: int, quarantined: int) -> None:
        """Count a rebuild, the entries that only Redis had, and those of them that went to quarantine."""
        self._add({"rebuilds": 1, "fork_entries": forked, "fork_entries_quarantined": quarantined})

    def read(self) -> dict[str, int]:
        """Return all counts; `last_run_ms` is a time, in ms since 1970. Raises SharedStateUnavailable."""
        with unavailable(SharedStateUnavailable):
            found = self._calls.command("HGETALL", keys.COUNTS)
        pairs = zip(found[::2], found[1::2], strict=True)
        return {name.decode(errors="replace"): int(value) for name, value in pairs if value.isdigit()}

    def _add(self, counts: dict[Counted, int], noted: str = "") -> None:
        args: list[Any] = [word for pair in counts.items() for word in pair]
        with suppress(SharedStateUnavailable), unavailable(SharedStateUnavailable):
            self._calls.script("count", (keys.COUNTS,), (noted, *args))
            return
        _log.warning("counts lost", counts=counts)


class WebShares:
    """One hash. A share that its instance has not renewed for KEPT_MS is dropped. Raises SharedStateUnavailable."""

    def __init__(self, calls: Calls) -> None:
        self._shared = SharedState(calls)

    def leave(self, instance: str, counts: bytes) -> None:
        """Replace the share of `instance`, even if Redis is full."""
        self._shared.script("web_shares", (keys.WEB_SHARES,), instance, KEPT_MS, counts)

    def of_others(self, instance: str) -> list[bytes]:
        """Return the shares of all instances but this one."""
        found: list[bytes] = self._shared.script("web_shares", (keys.WEB_SHARES,), instance, KEPT_MS)
        return found
