"""The metrics that no web process counts itself: read from Redis and from the background looks when scraped."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import gevent
import orjson

from seating.domain.errors import InventoryUnavailable, SharedStateUnavailable
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.redis_store import server_figures
from seating.redis_store.calls import Calls
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Head, Snapshot
from seating.redis_store.open_events import OpenEvents
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.process_reports import BackgroundCounts
from seating.redis_store.server_figures import ServerFigures
from seating.redis_store.set_aside import SetAside
from seating.services.background_look import Seen
from seating.services.circuit_breakers import CircuitBreakers
from seating.services.readiness import SILENCE_S, Readiness, RecordSight, SharedSight
from seating.storage.replica import ReplicaSight
from seating.storage.webhook_cursors import WebhookSight
from seating.telemetry import metrics
from seating.telemetry.metrics import Reading

_REDIS_WITHIN_S: Final = 1.0
_EVENTS_WITHIN_S: Final = 2.0
"""In addition, for the inventories of all events."""
_SHARED_HOLDS_S: Final = 5.0
_CRON_WITHIN_S: Final = 10.0
"""A cron reports every second, unless a slow event holds it up."""
_WEBHOOKS_HOLD_S: Final = 60.0
_LAGGING_EVENTS: Final = 20
"""How many events have series of their own, those that lag most: their number must not grow with that of events."""


@dataclass(frozen=True, slots=True)
class Readings:
    """A scrape never waits for SQL, and for Redis only briefly: readings that are unknown are left out."""

    calls: Calls
    inventory: Inventory
    set_aside: SetAside
    log: EventLog
    open_events: OpenEvents
    queue: PersistQueue
    counts: BackgroundCounts
    breakers: CircuitBreakers
    readiness: Readiness

    def take(self) -> list[Reading]:
        report = self.readiness.report()
        readings = [metrics.READY.reads(report.ready), *_of_record(report.record), *_of_replica(report.replica)]
        readings += _of_webhooks(report.webhooks)
        from_redis: list[Reading] = []
        with gevent.Timeout(_REDIS_WITHIN_S, False):  # type: ignore[arg-type]
            from_redis = self._from_redis()
        # The further questions would only wait for the same Redis.
        if not from_redis:
            return [*readings, metrics.REDIS_UP.reads(0)]
        with gevent.Timeout(_REDIS_WITHIN_S, False):  # type: ignore[arg-type]
            from_redis += [*self._of_background(), *self.breakers.readings()]
        # A limit of its own: a slow walk over all events must not make Redis look down.
        of_events: list[Reading] = []
        with gevent.Timeout(_EVENTS_WITHIN_S, False):  # type: ignore[arg-type]
            of_events = self._of_events(report.record)
        return [*readings, *from_redis, *of_events, *_of_processes(report.shared)]

    def _from_redis(self) -> list[Reading]:
        """Return what Redis says of itself and its clients; nothing if it does not answer."""
        try:
            figures = server_figures.read(self.calls)
        except (InventoryUnavailable, SharedStateUnavailable):
            return []
        return [metrics.REDIS_UP.reads(1), *_of_server(figures)]

    def _of_events(self, record: Seen[RecordSight]) -> list[Reading]:
        """Return what the inventories say, which takes longer the more events there are."""
        in_sql = record.value.event_ids if record.value else frozenset()
        try:
            event_ids = sorted({*self.open_events.ids(), *self.inventory.seen_events(), *in_sql})
            found = dict(zip(event_ids, self.inventory.look_at(event_ids), strict=True))
            snapshots = {event_id: seen for event_id, seen in found.items() if isinstance(seen, Snapshot)}
            gone = [seen for event_id, seen in found.items() if event_id in in_sql and event_id not in snapshots]
            return [
                *_of_events(list(snapshots.values())),
                metrics.MISSING.reads(sum(not (isinstance(seen, Head) and seen.archived) for seen in gone)),
                metrics.QUARANTINED.reads(self.set_aside.quarantined(event_ids)),
                metrics.DAMAGED.reads(sum(map(len, self.set_aside.damaged(event_ids)))),
                *self._lag(snapshots),
            ]
        except (InventoryUnavailable, SharedStateUnavailable):
            return []

    def _of_background(self) -> list[Reading]:
        """Return nothing if somebody else's values have the keys: Redis answers all the same."""
        try:
            return [metrics.QUEUE_JOBS.reads(self.queue.waiting()), *_of_counts(self.counts.read())]
        except (InventoryUnavailable, SharedStateUnavailable):
            return []

    def _lag(self, snapshots: dict[str, Snapshot]) -> list[Reading]:
        """Read the oldest entry that SQL lacks, of the events that lag most, by entries."""
        lags = sorted(((seen.backlog.lag, event_id) for event_id, seen in snapshots.items()), reverse=True)
        most = {event_id: lag for lag, event_id in lags[:_LAGGING_EVENTS] if lag}
        oldest = self.log.first_after({event_id: _recorded(snapshots[event_id]) for event_id in most})
        ages_s = {
            event_id: max(0.0, (snapshots[event_id].now_ms - at_ms) / 1000)
            for event_id, entry in oldest.items()
            if (at_ms := _at_ms(entry)) is not None
        }
        return [
            metrics.LAG_ENTRIES.reads(sum(lag for lag, _ in lags)),
            metrics.LAG_SECONDS.reads(max(ages_s.values(), default=0.0)),
            *(metrics.EVENT_LAG_ENTRIES.reads(lag, event_id) for event_id, lag in most.items()),
            *(metrics.EVENT_LAG_SECONDS.reads(age_s, event_id) for event_id, age_s in ages_s.items()),
        ]


def _recorded(seen: Snapshot) -> Position:
    """Return the last position that Redis knows SQL to have. The end of the log may be of a later epoch."""
    return seen.head.acknowledged.position if seen.head.acknowledged else seen.backlog.persisted_position


def _at_ms(entry: LogEntry) -> int | None:
    """Return when it was appended, even if this version cannot read the rest; None if it does not say."""
    try:
        at_ms = orjson.loads(entry.change)["at"]
    except (ValueError, KeyError, TypeError):
        return None
    return at_ms if isinstance(at_ms, int) else None


def _of_server(figures: ServerFigures) -> list[Reading]:
    fsync_s = figures.fsync_s
    return [
        metrics.REDIS_DURABLE.reads(figures.durable),
        metrics.REDIS_MEMORY.reads(figures.memory_bytes),
        metrics.REDIS_MEMORY_LIMIT.reads(figures.memory_limit_bytes),
        metrics.REDIS_AOF_OK.reads(figures.aof_ok),
        *([] if fsync_s is None else [metrics.REDIS_FSYNC.reads(fsync_s)]),
    ]


def _of_events(snapshots: Sequence[Snapshot]) -> list[Reading]:
    return [
        metrics.EVENTS_OPEN.reads(len(snapshots)),
        metrics.SEATS_SOLD.reads(sum(seen.counts.sold for seen in snapshots)),
        metrics.UNTRUSTED.reads(sum(not seen.backlog.trusted for seen in snapshots)),
        metrics.STOPPED.reads(sum(bool(seen.backlog.stopped) for seen in snapshots)),
    ]


def _of_counts(counts: Mapping[str, int]) -> list[Reading]:
    ran_ms = counts.get("last_run_ms")
    return [
        metrics.RUNS.reads(counts.get("runs", 0)),
        metrics.RUN_SECONDS.reads(counts.get("run_ms", 0) / 1000),
        metrics.RECORDED_ENTRIES.reads(counts.get("entries", 0)),
        metrics.RECORDED_BATCHES.reads(counts.get("batches", 0)),
        metrics.REBUILDS.reads(counts.get("rebuilds", 0)),
        metrics.FORKED.reads(counts.get("fork_entries", 0)),
        metrics.FORKED_ASIDE.reads(counts.get("fork_entries_quarantined", 0)),
        *([] if ran_ms is None else [metrics.LAST_RUN.reads(ran_ms / 1000)]),
    ]


def _of_processes(shared: Seen[SharedSight]) -> list[Reading]:
    """Return what is known of worker and cron; nothing if the last look is old."""
    if shared.value is None or shared.age_s > _SHARED_HOLDS_S:
        return []
    workers, upkeep = shared.value.workers, shared.value.upkeep
    readings = [] if workers is None else [metrics.WORKERS.reads(workers)]
    if upkeep is None:
        return [*readings, metrics.CRON_UP.reads(0)]
    age_s = upkeep.age_s + shared.age_s
    return [*readings, metrics.CRON_UP.reads(age_s < _CRON_WITHIN_S), metrics.CRON_SEEN.reads(time.time() - age_s)]


def _of_replica(replica: Seen[ReplicaSight] | None) -> list[Reading]:
    """Return nothing without a replica; without its lag, if that is unknown."""
    if replica is None:
        return []
    lag_s, failure = replica.value or ReplicaSight(None, "not asked yet")
    used = metrics.REPLICA_USED.reads(not failure and replica.silent_s <= SILENCE_S)
    return [used] if lag_s is None else [used, metrics.REPLICA_LAG.reads(lag_s)]


def _of_webhooks(webhooks: Seen[WebhookSight]) -> list[Reading]:
    """Return nothing if the last look is old."""
    sight = webhooks.value
    if sight is None or webhooks.age_s > _WEBHOOKS_HOLD_S:
        return []
    since_ms = sight.failing_since_ms
    failing_s = 0.0 if since_ms is None else max(0.0, time.time() - since_ms / 1000)
    return [
        metrics.WEBHOOKS.reads(sight.active, "active"),
        metrics.WEBHOOKS.reads(sight.paused, "paused"),
        metrics.WEBHOOKS_UNATTENDED.reads(sight.unattended),
        metrics.WEBHOOKS_FAILING.reads(sight.failing),
        metrics.WEBHOOK_FAILING_SECONDS.reads(failing_s),
        metrics.WEBHOOK_LAG.reads(sight.lag),
    ]


def _of_record(record: Seen[RecordSight]) -> list[Reading]:
    seen = record.value
    readings = [metrics.SQL_UP.reads(seen is not None and not seen.failure and record.silent_s <= SILENCE_S)]
    if seen is None or seen.read_s is None:
        return readings
    losses = seen.losses
    return [*readings, metrics.LOSSES.reads(len(losses)), metrics.LOST_CHANGES.reads(sum(one.lost for one in losses))]
