"""The cron's last report on all events: one key, which expires when the cron stops."""

import json
from typing import Final, NamedTuple

from seating.domain.errors import SharedStateUnavailable
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.failures import unavailable

KEPT_MS: Final = 60_000


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
    """Raises SharedStateUnavailable if Redis does not answer or takes no writes."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def leave(self, report: UpkeepReport) -> None:
        """Replace the last report, even if Redis is full."""
        with unavailable(SharedStateUnavailable):
            self._calls.script("report_upkeep", (keys.UPKEEP,), (json.dumps(report._asdict()), KEPT_MS))

    def last(self) -> SeenReport | None:
        """Return the last report; None if it has expired. Its age is by Redis's clock, not this machine's."""
        with unavailable(SharedStateUnavailable):
            text, lives_ms = self._calls.commands([("GET", keys.UPKEEP), ("PTTL", keys.UPKEEP)])
        try:
            said = json.loads(text or "null")
            report = UpkeepReport(**{name: said[name] for name in UpkeepReport._fields if name in said})
        except (ValueError, TypeError):
            return None  # Absent, or written by another version.
        return SeenReport(report, max(0, KEPT_MS - lives_ms) / 1000)
