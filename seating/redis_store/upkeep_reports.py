"""What the cron last saw of all events: one key, which expires once there is no cron."""

import json
from typing import Final, NamedTuple

from seating.domain.errors import SharedStateUnavailable
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.failures import unavailable

KEPT_MS: Final = 60_000


class UpkeepReport(NamedTuple):
    """Over all events with an inventory, or that should have one. `open` ones are not closed, `trusted` ones of these
    can be sold from; `lag` is the entries that SQL lacks, `stopped` the events that wait for an operator to merge."""

    open: int
    trusted: int
    stopped: int
    lag: int
    quarantined: int


class SeenReport(NamedTuple):
    report: UpkeepReport
    age_s: float


class UpkeepReports:
    """Raises SharedStateUnavailable where Redis does not answer, or takes no writes."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def leave(self, report: UpkeepReport) -> None:
        """Take the place of the last report, also where Redis is full."""
        with unavailable(SharedStateUnavailable):
            self._calls.script("report_upkeep", (keys.UPKEEP,), (json.dumps(report._asdict()), KEPT_MS))

    def last(self) -> SeenReport | None:
        """Return the last report; None if it has expired. Its age is by Redis's clock, whatever machine left it."""
        with unavailable(SharedStateUnavailable):
            text, lives_ms = self._calls.commands([("GET", keys.UPKEEP), ("PTTL", keys.UPKEEP)])
        try:
            report = UpkeepReport(**json.loads(text or "null"))
        except (ValueError, TypeError):
            return None  # There is none, or it is none of ours.
        return SeenReport(report, max(0, KEPT_MS - lives_ms) / 1000)
