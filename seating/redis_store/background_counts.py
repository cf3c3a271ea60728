"""Counters of the processes that nobody scrapes: workers, crons and commands leave them in Redis."""

from contextlib import suppress
from typing import Any, Final, Literal

import structlog

from seating.domain.errors import SharedStateUnavailable
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.failures import unavailable

Counted = Literal[
    "runs", "run_ms", "entries", "batches", "last_run_ms", "rebuilds", "fork_entries", "fork_entries_quarantined"
]

_LAST_RUN: Final = "last_run_ms"

_log = structlog.get_logger(__name__)


class BackgroundCounts:
    """One hash, which lasts as long as Redis has its data. A count that cannot be written is lost."""

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
