"""The gate that every change of an event passes through, and its guards: the fence and the readers of the log."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import gevent
import structlog
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.errors import RecordUnavailable, RolloutInProgress
from seating.domain.log_format import LOG_FORMAT, format_of
from seating.domain.position import Position
from seating.domain.receipt import Receipt
from seating.memo import Memo
from seating.redis_store.event_scripts import MissingInventory, RunsRefused
from seating.redis_store.inventory import Inventory
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.process_reports import UpkeepReports
from seating.redis_store.seen_positions import SeenPositions
from seating.services.answered import Answered
from seating.services.seat_names import SeatNames
from seating.storage import watermarks
from seating.storage.database import Database

_ASKED_AT_ONCE: Final = 500
_ASKS_FOR_S: Final = 1.0
_FORMATS_HOLD_S: Final = 1.0

_log = structlog.get_logger(__name__)


class Fence:
    """Keeps this process off a Redis whose term is over, by raising its seen positions to the terms that SQL knows.

    If SQL does not answer, sales go on.
    """

    def __init__(self, database: Database, inventory: Inventory, seen: SeenPositions) -> None:
        self._database = database
        self._inventory = inventory
        self._seen = seen
        self._asking: Memo[str, None] = Memo(max_weight=0)

    def before_first_sale(self, event_id: str) -> None:
        """Read the term of an event from SQL if this process has not seen the event yet."""
        # Ids that Redis does not know are not noted: a stranger could make up any number of them.
        if not self._seen.knows(event_id) and self._inventory.is_known(event_id):
            # The sale must not wait for an SQL that hangs.
            with gevent.Timeout(_ASKS_FOR_S, False):  # type: ignore[arg-type]
                # All that arrive meanwhile wait for the one that asks.
                self._asking.get(event_id, lambda: self._learn([event_id]))
            self._seen.note(event_id, Position(0, 1))  # Ask only once, even if SQL fails.

    def on_new_connection(self) -> None:
        """Read the terms of all seen events from SQL before anything is sold on the new connection."""
        events = self._seen.events()
        for first in range(0, len(events), _ASKED_AT_ONCE):
            self._learn(events[first : first + _ASKED_AT_ONCE])

    def _learn(self, event_ids: Sequence[str]) -> None:
        try:
            recorded = self._database.read(watermarks.read_all, event_ids)
        except (RecordUnavailable, SQLAlchemyError) as error:
            # A failure must not kill the greenlet that sends all calls to Redis.
            _log.warning("current term unknown", error=str(error.__cause__ or error))
            return
        for event_id, checkpoint in recorded.items():
            self._seen.note(event_id, Position(checkpoint.position.epoch, 0))


@dataclass(frozen=True, slots=True)
class LogReaders:
    """The workers and crons that run now. Raises InventoryUnavailable or SharedStateUnavailable without Redis."""

    queue: PersistQueue
    reports: UpkeepReports
    _oldest: Memo[None, int] = field(default_factory=lambda: Memo(max_weight=1, max_age_s=_FORMATS_HOLD_S), init=False)

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


@dataclass(frozen=True, slots=True)
class EventChanges:
    """Before a change, make sure that this process knows the event's term. After it, note the position as confirmed, so
    that its loss is reported, and nudge persistence. Explain refusals.
    """

    names: SeatNames
    answered: Answered
    fence: Fence
    nudge: Callable[[str], object]
    readers: LogReaders

    @contextmanager
    def of(self, event_id: str, kind: str | None = None) -> Iterator[None]:
        """Name the `kind` of the entry if not every version reads it (log_format.py).

        Raises RolloutInProgress while a running worker does not, EventNotFound, NotOnSale or InventoryUnavailable if
        Redis has no inventory, and SeatUnavailable, SeatSold or SeatHeld, with the names of the seats.
        """
        if kind:
            self.readers.check(kind)
        # A process that has seen nothing of the event would accept any server, an old primary too.
        self.fence.before_first_sale(event_id)
        try:
            yield
        except MissingInventory:
            raise self.names.presence.absence_of(event_id) from None
        except RunsRefused as error:
            refusal = error.named(seats=self.names.names(event_id, error.runs))
            refusal.verdict = error.verdict
            raise refusal from None

    def reached(self, event_id: str, position: Position, receipt: Receipt | None = None, idempotency: str = "") -> None:
        """Call this before responding. For a purchase, pass its receipt and the hash of caller and key."""
        self.answered.note(event_id, position, receipt, idempotency)
        self.nudge(event_id)
