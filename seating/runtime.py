"""Builds clients and services once per process: for the web, worker, cron and command line."""

from gevent import get_hub

from seating.config import Settings
from seating.domain import rate_policy
from seating.domain.breaker import BreakerPolicy
from seating.domain.webhook import MAX_WEBHOOKS
from seating.live.hub import Hub
from seating.live.resuming import History
from seating.redis_store import opening
from seating.redis_store.breaker import Breaker
from seating.redis_store.calls import Calls
from seating.redis_store.event_log import EventLog, open_log
from seating.redis_store.holds import HoldLimits
from seating.redis_store.lru_cache import LruCache
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.plain_client import plain_client
from seating.redis_store.process_reports import UpkeepReports
from seating.redis_store.rate_limits import RateLimits
from seating.redis_store.seat_states import SeatStates
from seating.redis_store.single_flight import SingleFlight
from seating.redis_store.terms import LogKeeping
from seating.services import catalogue
from seating.services.answered import AnsweredWriter
from seating.services.catalogue import Catalogue
from seating.services.circuit_breakers import CircuitBreakers
from seating.services.coalescing import Coalescing
from seating.services.event_changes import Fence
from seating.services.persistence_trigger import PersistenceTrigger
from seating.services.restarts import Restarts
from seating.services.retention import Retention
from seating.services.sale import Sale, SaleOptions
from seating.services.services import Services
from seating.services.upkeep import Upkeep
from seating.services.users import Users
from seating.services.webhook_messages import WebhookMessages
from seating.services.webhook_sender import WebhookSender
from seating.storage.api_keys import ApiKeys
from seating.storage.database import Database, in_this_thread
from seating.storage.offloading import offload_of_this_process
from seating.storage.replica import LaggingReads, Replica
from seating.telemetry import metrics_folder
from seating.upstream.partner_client import PartnerClient, PartnerLimits
from seating.upstream.webhook_client import WebhookClient

_NUDGES_WAITING = 4
"""How many jobs may wait. A further job would find nothing to do, and costs as much as recording 100 purchases."""

_READINESS_REPLY_WITHIN_S = 2.0


class BackgroundServices(Sale):
    """The services of the worker's jobs, the cron and the command line, which have no greenlets.

    Set `writes_the_sale` in the RQ worker, which alone checkpoints SQLite; set `patient` for commands whose statements
    may take minutes.
    """

    def __init__(self, settings: Settings, *, writes_the_sale: bool = False, patient: bool = False) -> None:
        calls = opening.direct(settings.effective_redis_url)
        database = Database(settings.effective_database_url, checkpoints=writes_the_sale, patient=patient)
        client = plain_client(settings.effective_redis_url)
        self.queue = PersistQueue(client)
        reads = LaggingReads(database, _replica(settings, database, patient=patient))
        super().__init__(calls, client, database, self.queue.nudge, _sale_options(settings), reads=reads)
        days = {"personal_data_days": settings.personal_data_days, "event_days": settings.event_days}
        self.retention = Retention(database, self.erasure, **days)
        self.upkeep = Upkeep(
            database,
            self.inventory,
            self.set_aside,
            self.open_events,
            self.hold_store,
            self.queue,
            self.persistence.retries,
            self.persistence,
            Restarts(self.persistence),
            [_user_cache(settings, calls)],
            UpkeepReports(calls),
        )


def web_services(settings: Settings) -> Services:
    """Build the services of a web process, which runs on greenlets."""
    from seating.web.users import document  # With all of Flask, which no other process needs.

    # Buyers may wait for a term; worker and cron must not, since they begin it.
    calls = opening.pipelined(settings.effective_redis_url, awaits_terms=True)
    offload = offload_of_this_process()
    database = _database_of_greenlets(settings)
    client = plain_client(settings.effective_redis_url)
    user_cache = _user_cache(settings, calls)
    coalescing = Coalescing(user_cache, SingleFlight(calls, user_cache.name))
    policies = {
        "users": settings.rate_limit_users,
        "sale": settings.rate_limit_sale,
        "shops": settings.rate_limit_shops,
        "holds": settings.rate_limit_holds,
        "wrong-keys": settings.rate_limit_wrong_keys,
    }
    queue = PersistQueue(client, max_waiting=_NUDGES_WAITING)
    own_calls = opening.direct(settings.effective_redis_url, seen=calls.seen, reply_within_s=_READINESS_REPLY_WITHIN_S)
    services = Services(
        calls,
        client,
        database,
        queue,
        PersistenceTrigger(queue).nudge,
        _sale_options(settings),
        default_event=settings.default_event,
        own_calls=own_calls,
        states=SeatStates(_calls_for_long_replies(settings)),
        offload=offload,
        catalogue=_catalogue(settings, _guards(settings, calls)),
        users=Users(database, coalescing, document, latency_s=settings.db_latency_ms / 1000),
        rate_limits=RateLimits(calls, {name: rate_policy.parse(policy) for name, policy in policies.items()}),
        api_keys=ApiKeys(settings.effective_api_keys_file),
        data_dir=settings.data_dir,
        reads=LaggingReads(database, _replica(settings, database)),
        metrics_dir=metrics_folder.current(),
    )
    if settings.event_api_base_url is not None:
        # While DNS hangs, each call occupies a thread in which Redis's host is looked up, too.
        get_hub().threadpool.maxsize += settings.event_api_concurrency
    writer = AnsweredWriter(services.answered)
    calls.on_new_connection(lambda: _catch_up(writer, services.fence))
    writer.start()
    return services


def _catch_up(writer: AnsweredWriter, fence: Fence) -> None:
    """Do what a new connection asks for: it may lead to an old primary, or to one that lacks what we confirmed."""
    writer.hurry()
    # Know SQL's terms before anything is sold on it.
    fence.on_new_connection()


def webhook_sender(settings: Settings) -> WebhookSender:
    """Build the sender of webhooks, which runs on greenlets and does without Redis."""
    # An endpoint occupies a thread while it looks up its host. Look-ups that took too long go on in theirs, beside
    # those of the next attempts, after 1, 2 and 4 s.
    get_hub().threadpool.maxsize = 4 * MAX_WEBHOOKS + 10
    client = WebhookClient(settings.webhook_timeout_s, allow_private=settings.webhook_allow_private)
    database = _database_of_greenlets(settings)
    return WebhookSender(database, webhook_messages(database), client, settings.webhook_retry_s)


def webhook_messages(database: Database) -> WebhookMessages:
    from seating.web.webhook_bodies import render_message  # With all of Flask, which few processes need.

    return WebhookMessages(database, render_message)


def live_hub(settings: Settings, services: Services) -> Hub:
    """Build the live hub of a web process."""
    calls = _calls_for_long_replies(settings)
    return Hub(
        open_log(settings.effective_redis_url),
        SeatStates(calls),
        services.plans,
        History(EventLog(calls), settings.live_resume_entries),
        ping_s=settings.live_ping_s,
    )


def _calls_for_long_replies(settings: Settings) -> Calls:
    """Use a separate connection, so that no buyer waits behind a map."""
    return opening.pipelined(settings.effective_redis_url)


def _sale_options(settings: Settings) -> SaleOptions:
    return SaleOptions(
        HoldLimits(
            settings.hold_ttl_s,
            settings.hold_max_s,
            settings.hold_extend_step_s,
            settings.hold_max_seats,
            settings.hold_max_seats_shops,
            settings.hold_max_seats_buyer,
        ),
        LogKeeping(settings.log_keep_s, settings.log_keep_memory_percent, settings.live_resume_entries),
        settings.backlog_max_entries,
        settings.backlog_memory_percent,
    )


def _user_cache(settings: Settings, calls: Calls) -> LruCache:
    return LruCache(
        calls,
        "users",
        capacity=settings.cache_capacity,
        ttl_s=settings.cache_ttl_s,
        max_bytes=settings.cache_max_bytes,
    )


def _guards(settings: Settings, calls: Calls) -> CircuitBreakers:
    policy = BreakerPolicy(
        failure_threshold=settings.circuit_breaker_failure_threshold,
        failure_window_ms=settings.circuit_breaker_failure_window_ms,
        reset_timeout_ms=settings.circuit_breaker_reset_timeout_ms,
        max_reset_timeout_ms=settings.circuit_breaker_max_reset_timeout_ms,
        # By then the probe has ended, or its process has died.
        probe_lease_ms=settings.event_api_deadline_ms + 1000,
    )
    return CircuitBreakers([Breaker(calls, kind, policy) for kind in catalogue.KINDS])


def _catalogue(settings: Settings, guards: CircuitBreakers) -> Catalogue:
    client = None
    if settings.event_api_base_url is not None:
        limits = PartnerLimits(
            connect_timeout_s=settings.event_api_connect_timeout_ms / 1000,
            read_timeout_s=settings.event_api_read_timeout_ms / 1000,
            at_once=settings.event_api_concurrency,
        )
        client = PartnerClient(settings.event_api_base_url, limits)
    return Catalogue(client, guards, settings.event_api_deadline_ms / 1000)


def _database_of_greenlets(settings: Settings) -> Database:
    """psycopg yields to other greenlets while it waits; SQLite blocks the thread."""
    sqlite = settings.effective_database_url.startswith("sqlite")
    return Database(settings.effective_database_url, offload=offload_of_this_process() if sqlite else in_this_thread)


def _replica(settings: Settings, database: Database, *, patient: bool = False) -> Replica | None:
    if settings.database_read_url is None:
        return None
    return Replica(database, Database(settings.database_read_url, patient=patient), settings.database_read_max_lag_s)
