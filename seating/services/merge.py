"""Merge an event for which SQL lacks entries it had acknowledged, because it was restored, replaced or failed over.

One transaction writes the union of both histories to SQL, as the ledger's entry `merged`. Redis is then rewritten
from SQL, as in a rebuild. A merge killed before that transaction has changed nothing; after it, the next round of
persistence rebuilds Redis.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import redis
import structlog

from seating.domain import areas
from seating.domain.actor import Actor
from seating.domain.errors import EventNotFound, InventoryUnavailable
from seating.domain.merging import MergedState, Preference, Waiting, continues, merge
from seating.domain.position import Position
from seating.domain.recovery_errors import NothingToMerge, Overtaken, RebuildRefused
from seating.domain.seating_plan import SeatingPlan, SeatRange
from seating.redis_store import book_snapshot
from seating.redis_store.book_snapshot import BookSnapshot
from seating.redis_store.terms import Terms
from seating.services import merged_record, purchase_log
from seating.services.merged_record import SqlHistory
from seating.services.rebuild import Rebuild
from seating.storage import (
    ledger,
)
from seating.storage.database import Database

_log = structlog.get_logger(__name__)


class MergeResult(NamedTuple):
    """`position`: the entry `merged`. `taken_in`: purchases added to SQL. `waiting`: purchases left without seats."""

    position: Position
    taken_in: int
    waiting: list[Waiting]


@dataclass(frozen=True, slots=True)
class Merge:
    database: Database
    client: "redis.Redis"
    terms: Terms
    rebuild: Rebuild
    persist: Callable[[str], object]

    def run(self, event_id: str, prefer: Preference, by: Actor) -> MergeResult:
        """Merge the event. Safe to repeat.

        Raises NothingToMerge, EventNotFound, RecordUnavailable, InventoryUnavailable.
        """
        head = self.terms.head(event_id)
        if head is None:
            raise EventNotFound
        # Checked before the claim too, because the claim closes the sale.
        if head.acknowledged and self.database.read(ledger.has, event_id, head.acknowledged):
            raise NothingToMerge
        try:
            return self._run(event_id, prefer, by)
        except (Overtaken, RebuildRefused) as error:
            raise InventoryUnavailable(f"It cannot be merged now: {error}") from error

    def _run(self, event_id: str, prefer: Preference, by: Actor) -> MergeResult:
        with self.rebuild.claimed(event_id, "merge", "any") as attempt:
            snapshot = book_snapshot.take(self.client, event_id)
            if snapshot is None or snapshot.acknowledged is None:
                raise NothingToMerge("Redis has no sales of this event")
            if not attempt.is_of(snapshot.inventory):
                raise Overtaken("another server responds than the one that was claimed")
            record = self.database.read_snapshot(merged_record.read, event_id)
            if record.checkpoint and self.database.read(ledger.has, event_id, snapshot.acknowledged):
                raise NothingToMerge
            # The lease ran on while both histories were read.
            attempt.renew()
            plan = snapshot.seating_plan() or record.plan
            if plan is None and not all(map(areas.is_area, snapshot.maps.values())):
                raise RebuildRefused("neither Redis nor SQL has its seating plan")
            waiting = _unite(event_id, snapshot, record, prefer, plan)
            entry, new, shrunk = self.database.write(merged_record.write, event_id, snapshot, record, waiting, plan, by)
            self.rebuild.write(event_id, attempt, expected=entry)
        result = MergeResult(entry.position, len(new), waiting.waiting)
        said = {"position": str(entry.position), "taken_in": len(new), "waiting": len(waiting.waiting)}
        _log.warning("merged", event_id=event_id, prefer=prefer, **said)
        purchase_log.happened("purchases taken in", event_id, (str(receipt.id) for receipt in new))
        purchase_log.happened("purchases cancelled", event_id, shrunk)
        purchase_log.happened("purchases put aside", event_id, (str(one.receipt.id) for one in result.waiting))
        # Nothing is left to record, but the event sells only once a run has begun its term.
        self.persist(event_id)
        return result


def _unite(
    event_id: str, snapshot: BookSnapshot, record: SqlHistory, prefer: Preference, plan: SeatingPlan | None
) -> MergedState:
    in_redis = snapshot.state()
    if record.state is None or (
        record.checkpoint
        and continues(snapshot.term_starts(), snapshot.checkpoint.position, record.checkpoint.position)
    ):
        return MergedState(in_redis)  # Redis's history continues SQL's, so it contains all of it.
    preferred, other = (in_redis, record.state) if prefer == "redis" else (record.state, in_redis)

    def seat_name(run: SeatRange) -> str:
        return plan.seats_of([run])[0] if plan else f"{run.length} places of area {run.block}"

    return merge(event_id, preferred, other, seat_name)
