"""Whether the workers and crons that run now can read an entry that is about to be written."""

from dataclasses import dataclass, field
from typing import Final

from seating.domain.errors import RolloutInProgress
from seating.domain.log_format import LOG_FORMAT, format_of
from seating.memo import Memo
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.process_reports import UpkeepReports

_KNOWN_FOR_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class LogReaders:
    """Raises InventoryUnavailable or SharedStateUnavailable if Redis does not answer."""

    queue: PersistQueue
    reports: UpkeepReports
    _oldest: Memo[None, int] = field(default_factory=lambda: Memo(max_weight=1, max_age_s=_KNOWN_FOR_S), init=False)

    def check(self, kind: str) -> None:
        """Raises RolloutInProgress if a worker or cron that runs now cannot read entries of `kind`.

        The answer may be a second old: an older worker that starts meanwhile stops recording the event, and loses
        nothing.
        """
        needed = format_of(kind)
        if needed and self._oldest.get(None, self._oldest_format) < needed:
            raise RolloutInProgress

    def _oldest_format(self) -> int:
        """Return the lowest format announced. While none runs it is our own: an upgrade starts the new ones first."""
        upkeep = self.reports.last()
        crons = [upkeep.report.reads] if upkeep else []
        return min([*crons, *self.queue.formats_read()], default=LOG_FORMAT)
