"""What processes report to each other through Redis: their counts, and what the cron has seen of all events.

Workers, crons and commands count together, web instances have a share each.
"""

import json
from contextlib import suppress
from typing import Any, Final, Literal, NamedTuple

import structlog

from seating.domain.errors import SharedStateUnavailable
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.failures import SharedState, unavailable

Counted = Literal[
    "runs", "run_ms", "entries", "batches", "last_run_ms", "rebuilds", "fork_entries", "fork_entries_quarantined"
]

SHARE_KEPT_MS: Final = 5000
"""How long a share of an instance is kept that does not renew it."""

REPORT_KEPT_MS: Final = 60_000
"""The cron's report expires when the cron stops."""

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
    """One hash. Drops shares that were not renewed for SHARE_KEPT_MS. Raises SharedStateUnavailable."""

    def __init__(self, calls: Calls) -> None:
        self._shared = SharedState(calls)

    def leave(self, instance: str, counts: bytes) -> None:
        """Replace the share of `instance`, even if Redis is full."""
        self._shared.script("web_shares", (keys.WEB_SHARES,), instance, SHARE_KEPT_MS, counts)

    def of_others(self, instance: str) -> list[bytes]:
        """Return the shares of all instances but this one."""
        found: list[bytes] = self._shared.script("web_shares", (keys.WEB_SHARES,), instance, SHARE_KEPT_MS)
        return found


class UpkeepReport(NamedTuple):
    """Counts over all events that have an inventory or should have one.

    `open`: events that are not closed. `trusted`: open events that can be sold from. `lag`: entries that SQL lacks.
    `stopped`: events that an operator has to merge. `reads`: the format of log entries that the cron reads.
    """

    open: int
    trusted: int
    stopped: int
    lag: int
    quarantined: int
    reads: int = 0


class SeenReport(NamedTuple):
    report: UpkeepReport
    age_s: float


class UpkeepReports:
    """The cron's last report, in one key. Raises SharedStateUnavailable if Redis does not answer or takes no writes."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def leave(self, report: UpkeepReport) -> None:
        """Replace the last report, even if Redis is full."""
        with unavailable(SharedStateUnavailable):
            self._calls.script("report_upkeep", (keys.UPKEEP,), (json.dumps(report._asdict()), REPORT_KEPT_MS))

    def last(self) -> SeenReport | None:
        """Return the last report; None if it has expired. Its age is by Redis's clock, not this machine's."""
        with unavailable(SharedStateUnavailable):
            text, lives_ms = self._calls.commands([("GET", keys.UPKEEP), ("PTTL", keys.UPKEEP)])
        try:
            said = json.loads(text or "null")
            report = UpkeepReport(**{name: said[name] for name in UpkeepReport._fields if name in said})
        except (ValueError, TypeError):
            return None  # Absent, or written by another version.
        return SeenReport(report, max(0, REPORT_KEPT_MS - lives_ms) / 1000)
