"""Builds clients and services, once a process: for the web, and for the processes behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import structlog
from gevent import get_hub, monkey

from seating.config import Settings
from seating.domain.errors import RecordUnavailable
from seating.live.hub import Hub
from seating.live.resuming import History
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import Calls
from seating.redis_store.connection import ScriptConnection, plain_client
from seating.redis_store.direct_calls import DirectCalls
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.live_log import LiveLog
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.plans import Plans
from seating.redis_store.retries import Retries
from seating.redis_store.scripts import Scripts
from seating.redis_store.seat_states import SeatStates
from seating.services.answered import Answered
from seating.services.books import Books
from seating.services.closing import Closing
from seating.services.event_presence import EventPresence
from seating.services.events import Events
from seating.services.monitoring import Monitoring
from seating.services.nudger import Nudger
from seating.services.persisted_watch import PersistedWatch
from seating.services.persistence import Persistence
from seating.services.purchases import Purchases
from seating.services.quarantine import Quarantine
from seating.services.rebuild import Rebuild
from seating.services.seat_map import SeatMaps
from seating.services.services import Services
from seating.services.upkeep import Upkeep
from seating.storage.database import Database, in_this_thread

_FLUSH_EVERY_S = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BackgroundServices:
    """What the worker's jobs, the cron and the command line call."""

    events: Events
    purchases: Purchases
    quarantine: Quarantine
    persistence: Persistence
    rebuild: Rebuild
    books: Books
    upkeep: Upkeep
    queue: PersistQueue


@dataclass(frozen=True, slots=True)
class _Sale:
    """What every process that touches a sale has."""

    inventory: Inventory
    log: EventLog
    plans: Plans
    presence: EventPresence
    answered: Answered
    rebuild: Rebuild
    events: Events
    purchases: Purchases
    quarantine: Quarantine


def web_services(settings: Settings) -> Services:
    """For a process of greenlets."""
    calls = AutoPipeline(ScriptConnection(settings.effective_redis_url, Scripts()))
    offload = _offload_to_threads if monkey.is_module_patched("socket") else in_this_thread
    # psycopg waits for its sockets as greenlets do; SQLite waits for its file in the kernel.
    sqlite = settings.effective_database_url.startswith("sqlite")
    database = Database(settings.effective_database_url, offload=offload if sqlite else in_this_thread)
    nudger = Nudger(PersistQueue(plain_client(settings.effective_redis_url)))
    sale = _sale(settings, calls, database, nudger.nudge)
    gevent.spawn(_flush_forever, sale.answered)
    return Services(
        events=sale.events,
        purchases=sale.purchases,
        quarantine=sale.quarantine,
        monitoring=Monitoring(sale.inventory, database, sale.presence, settings.data_dir),
        seat_maps=SeatMaps(SeatStates(_calls_for_long_replies(settings)), sale.presence),
        plans=sale.plans,
        offload=offload,
    )


def live_hub(settings: Settings, services: Services) -> Hub:
    """The live feed of a process of greenlets."""
    calls = _calls_for_long_replies(settings)
    return Hub(
        LiveLog(plain_client(settings.effective_redis_url)),
        SeatStates(calls),
        services.plans,
        History(EventLog(calls), settings.live_resume_entries),
        ping_s=settings.live_ping_s,
    )


def _calls_for_long_replies(settings: Settings) -> AutoPipeline:
    """On a connection of their own, so that no buyer waits behind a map."""
    return AutoPipeline(ScriptConnection(settings.effective_redis_url, Scripts()))


def background_services(settings: Settings, *, writes_the_sale: bool = False) -> BackgroundServices:
    """For a process without greenlets. `writes_the_sale` is for the RQ worker, which alone checkpoints SQLite."""
    calls = DirectCalls(ScriptConnection(settings.effective_redis_url, Scripts()))
    database = Database(settings.effective_database_url, checkpoints=writes_the_sale)
    client = plain_client(settings.effective_redis_url)
    queue = PersistQueue(client)
    sale = _sale(settings, calls, database, queue.nudge)
    retries = Retries(calls)
    persistence = Persistence(database, calls, sale.log, sale.inventory, retries, sale.rebuild, queue.nudge)
    closing = Closing(database, sale.inventory)
    return BackgroundServices(
        events=sale.events,
        purchases=sale.purchases,
        quarantine=sale.quarantine,
        persistence=persistence,
        rebuild=sale.rebuild,
        books=Books(database, client),
        upkeep=Upkeep(database, sale.inventory, queue, retries, persistence, closing),
        queue=queue,
    )


def _sale(settings: Settings, calls: Calls, database: Database, nudge: Callable[[str], object]) -> _Sale:
    inventory = Inventory(
        calls,
        backlog_max_entries=settings.backlog_max_entries,
        backlog_memory_percent=settings.backlog_memory_percent,
        resume_entries=settings.live_resume_entries,
    )
    log = EventLog(calls)
    plans = Plans(calls)
    presence = EventPresence(database, nudge)
    answered = Answered(database)
    rebuild = Rebuild(database, calls, log)
    purchases = Purchases(
        inventory, plans, log, database, presence, PersistedWatch(inventory), answered=answered, nudge=nudge
    )
    return _Sale(
        inventory,
        log,
        plans,
        presence,
        answered,
        rebuild,
        events=Events(database, inventory, presence, rebuild, nudge),
        purchases=purchases,
        quarantine=Quarantine(database, inventory, purchases, nudge),
    )


def _flush_forever(answered: Answered) -> None:
    while True:
        gevent.sleep(_FLUSH_EVERY_S)
        try:
            answered.flush()
        except RecordUnavailable as error:
            _log.warning("answered positions not recorded", error=str(error.__cause__))


def _offload_to_threads(work: Callable[[], Any]) -> Any:
    """A greenlet waits for a thread; the process's other greenlets go on."""
    return get_hub().threadpool.apply(work)
