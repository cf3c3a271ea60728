"""Builds clients and services, once a process: for the web, and for the processes behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import redis
import structlog
from gevent import get_hub, monkey
from sqlalchemy.exc import SQLAlchemyError

from seating.config import Settings
from seating.domain import rate_policy
from seating.domain.breaker import BreakerPolicy
from seating.domain.errors import RecordUnavailable
from seating.live.hub import Hub
from seating.live.resuming import History
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.breaker import Breaker
from seating.redis_store.calls import Calls
from seating.redis_store.connection import ScriptConnection, plain_client
from seating.redis_store.direct_calls import DirectCalls
from seating.redis_store.event_log import EventLog
from seating.redis_store.flights import Flights
from seating.redis_store.holds import HoldLimits
from seating.redis_store.holds import Holds as HoldStore
from seating.redis_store.inventory import Inventory
from seating.redis_store.live_log import LiveLog
from seating.redis_store.lru_cache import LruCache
from seating.redis_store.open_events import OpenEvents
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.plans import Plans
from seating.redis_store.rate_limits import RateLimits
from seating.redis_store.retries import Retries
from seating.redis_store.scripts import Scripts
from seating.redis_store.seat_states import SeatStates
from seating.redis_store.seats import Seats as SeatStore
from seating.redis_store.seen_positions import SeenPositions
from seating.redis_store.terms import LogKeeping, Terms
from seating.services import catalogue
from seating.services.answered import Answered
from seating.services.books import Books
from seating.services.catalogue import Catalogue
from seating.services.coalescing import Coalescing
from seating.services.event_changes import EventChanges
from seating.services.event_presence import EventPresence
from seating.services.events import Events
from seating.services.fence import Fence
from seating.services.guards import Guards
from seating.services.holds import Holds
from seating.services.loss_probe import LossProbe
from seating.services.losses import Losses
from seating.services.merge import Merge
from seating.services.monitoring import Monitoring
from seating.services.nudger import Nudger
from seating.services.persisted_watch import PersistedWatch
from seating.services.persistence import Persistence
from seating.services.plan_pages import PlanPages
from seating.services.purchases import Purchases
from seating.services.quarantine import Quarantine
from seating.services.rebuild import Rebuild
from seating.services.seat_names import SeatNames
from seating.services.seats import SeatMaps, Seats
from seating.services.services import Services
from seating.services.upkeep import Upkeep
from seating.services.users import Users
from seating.storage.database import Database, in_this_thread
from seating.upstream.partner_client import Limits, PartnerClient
from seating.web.users import document

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
    losses: Losses
    merge: Merge
    books: Books
    upkeep: Upkeep
    queue: PersistQueue


@dataclass(frozen=True, slots=True)
class _Sale:
    """What every process that touches a sale has."""

    inventory: Inventory
    hold_store: HoldStore
    log: EventLog
    plans: Plans
    names: SeatNames
    presence: EventPresence
    answered: Answered
    fence: Fence
    open_events: OpenEvents
    rebuild: Rebuild
    persistence: Persistence
    merge: Merge
    events: Events
    purchases: Purchases
    holds: Holds
    seats: Seats
    quarantine: Quarantine


def web_services(settings: Settings) -> Services:
    """For a process of greenlets."""
    seen = SeenPositions()
    calls = AutoPipeline(ScriptConnection(settings.effective_redis_url, Scripts(), seen=seen))
    offload = _offload_to_threads if monkey.is_module_patched("socket") else in_this_thread
    # psycopg waits for its sockets as greenlets do; SQLite waits for its file in the kernel.
    sqlite = settings.effective_database_url.startswith("sqlite")
    database = Database(settings.effective_database_url, offload=offload if sqlite else in_this_thread)
    user_cache = _user_cache(settings, calls)
    guards = _guards(settings, calls)
    client = plain_client(settings.effective_redis_url)
    nudger = Nudger(PersistQueue(client))
    sale = _sale(settings, calls, client, database, nudger.nudge)
    calls.on_new_connection(sale.fence.on_new_connection)
    gevent.spawn(_flush_forever, sale.answered)
    return Services(
        events=sale.events,
        purchases=sale.purchases,
        holds=sale.holds,
        seats=sale.seats,
        quarantine=sale.quarantine,
        losses=Losses(database),
        merge=sale.merge,
        monitoring=Monitoring(
            sale.inventory, sale.open_events, LossProbe(database), sale.presence, settings.data_dir, guards
        ),
        seat_maps=SeatMaps(SeatStates(_calls_for_long_replies(settings)), sale.presence, offload),
        catalogue=_catalogue(settings, guards),
        plans=sale.plans,
        users=Users(
            database,
            Coalescing(user_cache, Flights(calls, user_cache.name)),
            document,
            latency_s=settings.db_latency_ms / 1000,
        ),
        user_cache=user_cache,
        rate_limits=RateLimits(
            calls,
            {
                "users": rate_policy.parse(settings.rate_limit_users),
                "sale": rate_policy.parse(settings.rate_limit_sale),
            },
        ),
        plan_pages=PlanPages(sale.names, offload),
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


def background_services(
    settings: Settings, *, writes_the_sale: bool = False, patient: bool = False
) -> BackgroundServices:
    """For a process without greenlets. `writes_the_sale` is for the RQ worker, which alone checkpoints SQLite.

    `patient` is for commands whose statements may take minutes.
    """
    calls = DirectCalls(ScriptConnection(settings.effective_redis_url, Scripts()))
    database = Database(settings.effective_database_url, checkpoints=writes_the_sale, patient=patient)
    client = plain_client(settings.effective_redis_url)
    queue = PersistQueue(client)
    sale = _sale(settings, calls, client, database, queue.nudge)
    caches = [_user_cache(settings, calls)]
    return BackgroundServices(
        events=sale.events,
        purchases=sale.purchases,
        quarantine=sale.quarantine,
        persistence=sale.persistence,
        rebuild=sale.rebuild,
        losses=Losses(database),
        merge=sale.merge,
        books=Books(database, client, sale.open_events),
        upkeep=Upkeep(
            database,
            sale.inventory,
            sale.open_events,
            sale.hold_store,
            queue,
            sale.persistence.retries,
            sale.persistence,
            caches,
        ),
        queue=queue,
    )


def _sale(
    settings: Settings,
    calls: Calls,
    client: "redis.Redis",
    database: Database,
    nudge: Callable[..., object],
) -> _Sale:
    backlog = {
        "backlog_max_entries": settings.backlog_max_entries,
        "backlog_memory_percent": settings.backlog_memory_percent,
    }
    inventory = Inventory(calls, **backlog)
    limits = HoldLimits(settings.hold_ttl_s, settings.hold_max_s, settings.hold_max_seats)
    hold_store = HoldStore(calls, limits, **backlog)
    log = EventLog(calls)
    plans = Plans(calls)
    presence = EventPresence(database, nudge)
    answered = Answered(database, calls.seen)
    fence = Fence(database, inventory, calls.seen)
    keeping = LogKeeping(settings.log_keep_s, settings.log_keep_memory_percent, settings.live_resume_entries)
    terms = Terms(calls, keeping)
    rebuild = Rebuild(database, calls, log, terms)
    persistence = Persistence(database, log, inventory, terms, calls.seen, Retries(calls), rebuild, nudge)
    names = SeatNames(plans, inventory, database, presence)
    watch = PersistedWatch(database)
    changes = EventChanges(names, answered, fence, nudge)
    purchases = Purchases(inventory, names, log, database, watch, changes)
    return _Sale(
        inventory,
        hold_store,
        log,
        plans,
        names,
        presence,
        answered,
        fence,
        OpenEvents(calls),
        rebuild,
        persistence,
        Merge(database, client, terms, rebuild, persistence.run_now),
        events=Events(database, inventory, presence, rebuild, persistence, changes),
        purchases=purchases,
        holds=Holds(hold_store, names, changes),
        seats=Seats(SeatStore(calls), names, changes),
        quarantine=Quarantine(database, inventory, purchases, changes),
    )


def _flush_forever(answered: Answered) -> None:
    while True:
        gevent.sleep(_FLUSH_EVERY_S)
        try:
            answered.flush()
        except (RecordUnavailable, SQLAlchemyError) as error:
            _log.warning("answered positions not recorded", error=str(error.__cause__))


def _user_cache(settings: Settings, calls: Calls) -> LruCache:
    return LruCache(
        calls,
        "users",
        capacity=settings.cache_capacity,
        ttl_s=settings.cache_ttl_s,
        max_bytes=settings.cache_max_bytes,
    )


def _guards(settings: Settings, calls: Calls) -> Guards:
    policy = BreakerPolicy(
        failure_threshold=settings.circuit_breaker_failure_threshold,
        failure_window_ms=settings.circuit_breaker_failure_window_ms,
        reset_timeout_ms=settings.circuit_breaker_reset_timeout_ms,
        max_reset_timeout_ms=settings.circuit_breaker_max_reset_timeout_ms,
        # A probe has ended by the deadline, or else its process has.
        probe_lease_ms=settings.event_api_deadline_ms + 1000,
    )
    return Guards([Breaker(calls, kind, policy) for kind in catalogue.KINDS])


def _catalogue(settings: Settings, guards: Guards) -> Catalogue:
    client = None
    if settings.event_api_base_url is not None:
        limits = Limits(
            connect_timeout_s=settings.event_api_connect_timeout_ms / 1000,
            read_timeout_s=settings.event_api_read_timeout_ms / 1000,
            at_once=settings.event_api_concurrency,
        )
        client = PartnerClient(settings.event_api_base_url, limits)
    return Catalogue(client, guards, settings.event_api_deadline_ms / 1000)


def _offload_to_threads(work: Callable[[], Any]) -> Any:
    """A greenlet waits for a thread; the process's other greenlets go on."""
    result, error = get_hub().threadpool.apply(_outcome_of, (work,))
    if error is not None:
        raise error
    return result


def _outcome_of(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """The result or the error of `work`: gevent prints what a thread raises, whatever data it names."""
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001 - it is raised again, where `work` is waited for
        return None, error
