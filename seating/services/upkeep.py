"""The work that is due every second, independent of requests."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.errors import InventoryUnavailable, RecordUnavailable, SeatingError, SharedStateUnavailable
from seating.domain.log_format import LOG_FORMAT
from seating.redis_store.holds import RELEASED_A_CALL, HoldStore
from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Snapshot
from seating.redis_store.lru_cache import LruCache
from seating.redis_store.open_events import OpenEvents
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.persist_retries import PersistRetries
from seating.redis_store.process_reports import UpkeepReport, UpkeepReports
from seating.redis_store.set_aside import SetAside
from seating.services.persistence import Persistence
from seating.services.restarts import Restarts
from seating.storage import answered, events, quarantine, quarantine_copies, watermarks
from seating.storage.answered import Loss
from seating.storage.database import Database

KEPT_CLOSED_MS: Final = 24 * 3600 * 1000

_KNOWN_FOR_S = 5.0
# 100,000 holds of an event in one tick; the others end in the next.
_MOST_RELEASES = 500

_MOST_REFUSALS = 5
"""How many ticks in a row the queue may refuse a nudge before the cron does the work itself."""
_SWEEP_EVERY_TICKS = 5
_LOGGED_VALUES = 20

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Upkeep:
    database: Database
    inventory: Inventory
    set_aside: SetAside
    open_events: OpenEvents
    holds: HoldStore
    queue: PersistQueue
    retries: PersistRetries
    persistence: Persistence
    restarts: Restarts
    caches: Sequence[LruCache]
    reports: UpkeepReports
    _live: list[str] = field(default_factory=list)
    _damaged: dict[str, list[str]] = field(default_factory=dict)
    _losses: set[Loss] = field(default_factory=set)
    _asked_at: float = float("-inf")
    _refusals: int = 0
    _quarantined: int = 0
    _ticks: Iterator[int] = field(default_factory=itertools.count)

    def tick(self) -> None:
        """Do everything once. The next tick repeats whatever failed.

        Raises InventoryUnavailable or SharedStateUnavailable if Redis does not answer.
        """
        # What a primary of a cluster has that does not answer waits for it; the events of the others do not.
        found = self.inventory.read_answering(self._live_events())
        event_ids = [event_id for event_id, _ in found]
        sweeps = next(self._ticks) % _SWEEP_EVERY_TICKS == 0
        if sweeps:
            self._quarantined = self.set_aside.quarantined(event_ids)
            self.holds.sweep_notes(event_ids)
        # Before the runs below, each of which may take seconds: a late report looks like a cron that is gone.
        self._report(found)
        self._persist([event_id for event_id, snapshot in found if self._lags(event_id, snapshot)])
        self.restarts.resume([event_id for event_id, snapshot in found if snapshot and not snapshot.backlog.trusted])
        if sweeps:
            self._record_again(found)
            self._copy_waiting([event_id for event_id, snapshot in found if snapshot])
            self._forget_settled(event_ids)
        for event_id, snapshot in found:
            try:
                if snapshot:
                    self._look_after(event_id, snapshot)
            except (SeatingError, SQLAlchemyError) as error:
                # A failure of one event must not stop the others; the next tick retries it.
                _log.warning("event upkeep failed", event_id=event_id, error=repr(error))
        self._report_damage(event_ids)
        steps: list[Callable[[], object]] = [self.queue.trim]
        # Only the worker checkpoints, and a write without a log entry, such as a new user, brings it no job.
        if self.database.wal_is_large():
            steps.append(self.queue.ask_for_checkpoint)
        if sweeps:
            with_inventory = [event_id for event_id, snapshot in found if snapshot]
            steps += [partial(self.persistence.terms.trim, with_inventory), *(cache.sweep for cache in self.caches)]
        _take_each(steps)

    def _record_again(self, found: Sequence[tuple[str, Snapshot | None]]) -> None:
        """Run persistence for each event of which SQL has less than it acknowledged: it came back from a backup.

        Nothing lags then, so nothing else would notice before the next change. `found` must be older than the look at
        SQL, which otherwise seems to be behind while it is not.
        """
        recorded = {event_id: seen.backlog for event_id, seen in found if seen and seen.backlog.is_recorded}
        try:
            marks = self.database.read(watermarks.read_all, list(recorded))
        except RecordUnavailable:
            return  # The next sweep looks again.
        behind = [
            event_id
            for event_id, backlog in recorded.items()
            if ((mark := marks.get(event_id)) is None or mark.position.seq < backlog.persisted)
            and self.retries.is_due(event_id)
        ]
        if behind:  # One run, which is bounded; the next sweep finds what it left.
            self.persistence.run(*behind, follows=False)

    def _copy_waiting(self, event_ids: Sequence[str]) -> None:
        """Copy to Redis what waits in quarantine without a copy: whoever put it aside may have died before that.

        The receipts of lost purchases get their copies here.
        """
        try:
            counts = self.database.read(quarantine_copies.waiting)
            here = [event_id for event_id in event_ids if event_id in counts]
            for event_id, copied in zip(here, self.set_aside.copied(here), strict=True):
                if copied is not None and copied < counts[event_id]:
                    waiting = self.database.read(quarantine.waiting, event_id)
                    self.set_aside.copy(event_id, [aside.entry for aside in waiting])
        except (RecordUnavailable, InventoryUnavailable):
            return  # The next sweep looks again. A full Redis takes no copies, but its holds must expire.

    def _forget_settled(self, event_ids: Sequence[str]) -> None:
        """Forget in Redis what no longer waits in quarantine: whoever settled it in SQL may have died before that."""
        for event_id, positions in self.set_aside.quarantined_at(event_ids).items():
            try:
                settled = self.database.read(quarantine_copies.settled, event_id, positions)
            except RecordUnavailable:
                return  # The next sweep looks again.
            if settled:
                self.set_aside.unquarantine(event_id, *settled)

    def _report(self, found: Sequence[tuple[str, Snapshot | None]]) -> None:
        """Leave a report on all events. Its age shows whether a cron is running."""
        missing = len(set(self._live).difference(event_id for event_id, snapshot in found if snapshot))
        snapshots = [snapshot for _, snapshot in found if snapshot]
        open_ones = [snapshot for snapshot in snapshots if snapshot.counts.state != "closed"]
        report = UpkeepReport(
            open=missing + len(open_ones),
            trusted=sum(snapshot.backlog.trusted for snapshot in open_ones),
            stopped=sum(bool(snapshot.backlog.stopped) for snapshot in snapshots),
            lag=sum(snapshot.backlog.lag for snapshot in snapshots),
            quarantined=self._quarantined,
            reads=LOG_FORMAT,
        )
        try:
            self.reports.leave(report)
        except SharedStateUnavailable as error:
            # Redis takes no writes. Go on: recording still works.
            _log.warning("upkeep report failed", error=str(error.__cause__))

    def _lags(self, event_id: str, snapshot: Snapshot | None) -> bool:
        """Return whether the event needs a nudge. Untrusted ones are persisted directly: see restarts.py."""
        # An event without inventory that only Redis knows has been archived.
        lost = snapshot is None and event_id in self._live
        lags = snapshot is not None and snapshot.backlog.trusted and snapshot.backlog.lag > 0
        return (lost or lags) and self.retries.is_due(event_id)

    def _look_after(self, event_id: str, snapshot: Snapshot) -> None:
        if snapshot.counts.held:
            self._expire_holds(event_id)
        if snapshot.counts.state == "closed" and snapshot.backlog.is_recorded and _age_ms(snapshot) >= KEPT_CLOSED_MS:
            self._archive(event_id)

    def _archive(self, event_id: str) -> None:
        """Remove an event from Redis a day after it was closed."""
        # SQL first, or the missing inventory would be rebuilt.
        self.database.write(events.set_archived, event_id)
        # The script checks all of it again, since the snapshot may be a second old.
        if self.inventory.archive(event_id, KEPT_CLOSED_MS):
            _log.info("event archived", event_id=event_id)

    def _live_events(self) -> list[str]:
        """Return the events known to SQL or Redis: either may have lost its own."""
        now = time.monotonic()
        if now - self._asked_at > _KNOWN_FOR_S:
            try:
                self._live, losses = self.database.read(
                    lambda connection: (events.live(connection), answered.losses(connection))
                )
                self._asked_at = now
                self._tell(losses)
            except RecordUnavailable as error:
                _log.warning("events not read", error=str(error.__cause__))
        return sorted({*self._live, *self.open_events.ids()})

    def _tell(self, losses: list[Loss]) -> None:
        """Log each loss once, and again if it grows."""
        for loss in set(losses) - self._losses:
            first, last = str(loss.first), str(loss.last)
            _log.error("changes lost", event_id=loss.event_id, first=first, last=last, changes=loss.lost)
        self._losses = set(losses)

    def _report_damage(self, event_ids: Sequence[str]) -> None:
        damaged = dict(zip(event_ids, self.set_aside.damaged(event_ids), strict=True))
        for event_id, values in damaged.items():
            unseen = sorted(set(values).difference(self._damaged.get(event_id, ())))
            if unseen:
                _log.error("unreadable values set aside", event_id=event_id, values=unseen[:_LOGGED_VALUES])
        self._damaged = {event_id: values for event_id, values in damaged.items() if values}

    def _expire_holds(self, event_id: str) -> None:
        """Release all expired holds. Scripts do that too, but only when there is a request."""
        for _ in range(_MOST_RELEASES):
            try:
                if self.holds.expire(event_id) < RELEASED_A_CALL:
                    return
            except InventoryUnavailable:
                return  # Missing or untrusted: the next tick handles that.

    def _persist(self, event_ids: Sequence[str]) -> None:
        """Nudge, or persist here if the queue stays long or refuses jobs."""
        try:
            taken, reason = self.queue.nudge(*event_ids), "the queue stays long"
        except InventoryUnavailable as error:
            taken, reason = False, str(error.__cause__)
            # RQ cannot work in a full Redis, and only persistence frees memory there: do not wait for more ticks.
            self._refusals = _MOST_REFUSALS
        self._refusals = 0 if taken else self._refusals + 1
        if self._refusals > _MOST_REFUSALS:
            _log.warning("persisting without the queue", events=len(event_ids), reason=reason)
            self.persistence.run_all(event_ids, follows=False)


def _take_each(steps: Sequence[Callable[[], object]]) -> None:
    """Take each step, even if one failed: a cluster has their keys on different servers. Raises the first error."""
    failures: list[SeatingError] = []
    for step in steps:
        try:
            step()
        except (InventoryUnavailable, SharedStateUnavailable) as error:
            failures.append(error)
    if failures:
        raise failures[0]


def _age_ms(snapshot: Snapshot) -> float:
    return time.time() * 1000 - snapshot.counts.updated_ms
