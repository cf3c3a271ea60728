"""Whether seats can be sold, and the state of every part. Reports come from background looks: no request waits."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import gevent
import structlog
from redis.exceptions import RedisError

from seating.domain.breaker import BreakerReport
from seating.domain.errors import RecordUnavailable, SeatingError, WrongTables
from seating.redis_store.inventory import Inventory
from seating.redis_store.open_events import OpenEvents
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.process_reports import SeenReport, UpkeepReports
from seating.redis_store.write_check import RedisState, WriteCheck, WriteVerdict
from seating.services.background_look import BackgroundLook, Seen
from seating.services.circuit_breakers import CircuitBreakers
from seating.services.open_sales import KnownEvents, OpenSales, SalesSight
from seating.storage import answered, events, webhook_cursors
from seating.storage.answered import Loss
from seating.storage.database import Database, Offload
from seating.storage.replica import Replica, ReplicaSight
from seating.storage.webhook_cursors import WebhookSight

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_SALE_EVERY_S: Final = 0.2
_SALE_HOLDS_S: Final = 3.0
"""How long a look stays valid: in a process with thousands of buyers, the next one may come that late."""
_SHARED_EVERY_S: Final = 0.5
_RECORD_EVERY_S: Final = 5.0
_DISK_EVERY_S: Final = 5.0
_WEBHOOKS_EVERY_S: Final = 10.0
_REPLICA_EVERY_S: Final = 1.0
_WAIT_EVERY_S: Final = 0.02
SILENCE_S: Final = 1.0
"""A look still running after this long is reported as silence."""


class SaleSight(NamedTuple):
    """`sales` is None if Redis does not answer, or until the events are known."""

    redis: WriteVerdict
    sales: SalesSight | None


class SharedSight(NamedTuple):
    """What Redis knows of other processes. `upkeep` is None if no cron has reported lately."""

    event_ids: list[str]
    upkeep: SeenReport | None
    workers: int | None
    breakers: dict[str, BreakerReport]


class RecordSight(NamedTuple):
    """What SQL returned at `read_s`, on the monotonic clock; `failure` is why later reads failed, or ""."""

    event_ids: frozenset[str]
    losses: list[Loss]
    read_s: float | None
    failure: str


class Report(NamedTuple):
    """`ready` says whether seats can be sold; the rest is the state of each part, as last seen.

    `redis` was seen `redis_age_s` ago. `sales` is None as in SaleSight. `free_bytes` is of the data folder's disk.
    `replica` is None if there is none.
    """

    ready: bool
    drains: bool
    redis: WriteVerdict
    redis_age_s: float
    default_event: str
    sales: SalesSight | None
    shared: Seen[SharedSight]
    record: Seen[RecordSight]
    free_bytes: Seen[int | None]
    webhooks: Seen[WebhookSight]
    replica: Seen[ReplicaSight] | None


@dataclass(eq=False, kw_only=True)
class Readiness:
    """The readiness of one process, which has one greenlet for each kind of look.

    `writes` and `own_inventory` share a connection that buyers do not use.
    """

    writes: WriteCheck
    own_inventory: Inventory
    inventory: Inventory
    open_events: OpenEvents
    reports: UpkeepReports
    queue: PersistQueue
    breakers: CircuitBreakers
    database: Database
    data_dir: Path
    offload: Offload
    replica: Replica | None
    default_event: str

    def __post_init__(self) -> None:
        self.drains: Callable[[], bool] = lambda: False
        self._last_read = RecordSight(frozenset(), [], None, "")
        self._sales = OpenSales(self.own_inventory, self.default_event, self._known_events)
        self._record = BackgroundLook(self._look_at_record, _RECORD_EVERY_S)
        self._shared = BackgroundLook(self._look_at_shared, _SHARED_EVERY_S)
        self._disk = BackgroundLook(self._free_bytes, _DISK_EVERY_S)
        self._webhooks = BackgroundLook(self._look_at_webhooks, _WEBHOOKS_EVERY_S)
        self._sale = BackgroundLook(self._look_at_sale, _SALE_EVERY_S)
        self._replica = BackgroundLook(self.replica.look, _REPLICA_EVERY_S) if self.replica else None

    def start(self) -> None:
        """Start looking. Until then nothing is known, and the process is not ready."""
        for look in self._looks:
            look.start()

    def wait(self, within_s: float) -> None:
        """Wait for the first looks that decide, but no longer than `within_s` seconds."""
        ends = time.monotonic() + within_s
        while not self._has_looked() and time.monotonic() < ends:
            gevent.sleep(_WAIT_EVERY_S)

    def report(self) -> Report:
        """Ready if Redis takes writes and at least one open event, if there is any, can be sold from.

        Not ready while the web server drains.
        """
        sale = self._sale.last()
        verdict = self._redis_verdict(sale)
        sales = sale.value.sales if sale.value and verdict.state is not RedisState.DOWN else None
        drains = self.drains()
        ready = verdict.state is RedisState.UP and sales is not None and sales.sells and not drains
        seen = self._shared.last(), self._record.last(), self._disk.last(), self._webhooks.last()
        replica = self._replica.last() if self._replica else None
        return Report(ready, drains, verdict, sale.age_s, self.default_event, sales, *seen, replica)

    def close(self) -> None:
        for look in self._looks:
            look.close()

    @property
    def _looks(self) -> tuple[BackgroundLook[Any], ...]:
        looks = (self._sale, self._record, self._shared, self._disk, self._webhooks)
        return (*looks, self._replica) if self._replica else looks

    def _has_looked(self) -> bool:
        sale = self._sale.last().value
        return sale is not None and (sale.sales is not None or sale.redis.state is RedisState.DOWN)

    def _redis_verdict(self, sale: Seen[SaleSight]) -> WriteVerdict:
        if sale.value is None or sale.age_s > _SALE_HOLDS_S:
            return WriteVerdict(RedisState.DOWN, f"no reply for {sale.age_s:.1f} s")
        if missing := self.inventory.missing_durability:
            return WriteVerdict(RedisState.NOT_DURABLE, missing)
        return sale.value.redis

    def _look_at_sale(self) -> SaleSight:
        verdict = self.writes.run()
        if verdict.state is RedisState.DOWN or not self._knows_events():
            return SaleSight(verdict, None)
        return SaleSight(verdict, self._sales.look())

    def _knows_events(self) -> bool:
        """Return whether both stores were asked for events. A new process does not wait for a hanging SQL."""
        record = self._record.last()
        return self._shared.last().value is not None and (record.value is not None or record.silent_s > SILENCE_S)

    def _known_events(self) -> KnownEvents:
        shared = self._shared.last().value
        return KnownEvents(shared.event_ids if shared else [], self._last_read.event_ids)

    def _look_at_shared(self) -> SharedSight:
        event_ids = self.open_events.ids()
        return SharedSight(
            event_ids, _or_none(self.reports.last), _or_none(self.queue.workers_seen), self.breakers.reports()
        )

    def _look_at_record(self) -> RecordSight:
        try:
            event_ids, losses = self.database.read(
                lambda connection: (events.live(connection), answered.losses(connection))
            )
        except RecordUnavailable as error:
            # The driver's message contains addresses, and this report is public.
            _log.warning("record unavailable", error=str(error.__cause__))
            reason = str(error.__cause__) if isinstance(error, WrongTables) else "it does not answer"
            return self._last_read._replace(failure=reason)
        self._last_read = RecordSight(frozenset(event_ids), losses, time.monotonic(), "")
        return self._last_read

    def _look_at_webhooks(self) -> WebhookSight:
        return self.database.read(webhook_cursors.look, time.time_ns() // 1_000_000)

    def _free_bytes(self) -> int | None:
        try:
            free: int = self.offload(lambda: shutil.disk_usage(self.data_dir).free)
        except OSError:
            return None
        return free


def _or_none(look: Callable[[], T]) -> T | None:
    """Return None on any failure, even garbage in Redis: what is only reported must not make the process unready."""
    try:
        return look()
    except (SeatingError, RedisError, ValueError) as error:
        _log.warning("readiness look failed", reason=repr(error))
        return None
