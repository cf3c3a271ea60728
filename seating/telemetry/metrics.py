"""All metrics: their names, help, labels and buckets, and the functions that count. docs/metrics.md describes them.

Set PROMETHEUS_MULTIPROC_DIR before this module is first imported: then counts are summed over all web processes
(prometheus-client's multi-process mode). Without it, a process counts only for itself.
"""

import os
import time
from functools import cache
from typing import Any, Final, Literal, NamedTuple

from prometheus_client import Counter, Histogram, values
from prometheus_client import Gauge as ProcessGauge

from seating.telemetry import metrics_folder

STARTED_AT_S: Final = time.time()
_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
# A percentile is read between two bounds, so those of 5 to 500 ms lie close together.
_LATENCIES: Final = (
    *(0.002, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5),
    *(0.75, 1.0, 2.0, 5.0, 10.0),
)
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)

# Each kind of metric below has its own file. A kind that is missing here would have no blocks on disk.
if metrics_folder.reserve(os.environ.get("PROMETHEUS_MULTIPROC_DIR"), ("counter", "histogram", "gauge_livesum")):
    # This process does not fork after the import, so its id is constant; by default every count queries it.
    _pid: Final = os.getpid()
    _LockedValue: Any = values.MultiProcessValue(lambda: _pid)  # type: ignore[no-untyped-call]

    class _Value(_LockedValue):  # type: ignore[misc]
        """Counts without the library's lock, which gevent's patch makes slow. Only the hub's thread counts."""

        def inc(self, amount: float) -> None:
            self._value += amount
            self._file.write_value(self._key, self._value, 0.0)

    values.ValueClass = _Value
else:
    # prometheus-client chose shared files when it was imported above, and would use them although there is no room.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    values.ValueClass = values.MutexValue

# Counted by each web process.
_requests = Counter("seating_http_requests", "HTTP responses", ["route", "method", "status"])
_seconds = Histogram("seating_http_request_seconds", "Time in the application", ["route"], buckets=_BUCKETS)
_waits = Histogram(
    "seating_http_wait_seconds", "Time that requests waited before the application began", ["since"], buckets=_BUCKETS
)
ACCEPT_WAIT = Histogram(
    "seating_http_accept_wait_seconds", "From a new connection's last segment to its process", buckets=_BUCKETS
)
REFUSED_CONNECTIONS = Counter("seating_http_connections_refused", "Connections refused for their address's limit")
MISSED_DEADLINES = Counter("seating_http_deadlines_missed", "Connections closed after a missed deadline", ["wait"])
"""`wait` is what was waited for: the client's request, or room to send to it."""
_purchases = Counter("seating_purchases", "Purchase requests", ["outcome"])
_purchase_seconds = Histogram(
    "seating_purchase_seconds", "From a purchase request's arrival to its outcome", ["outcome"], buckets=_LATENCIES
)
_holds = Counter("seating_holds", "Requests to hold seats, or to change, extend or release a hold", ["outcome"])
_hold_seconds = Histogram(
    "seating_hold_seconds", "From such a request's arrival to its outcome", ["outcome"], buckets=_LATENCIES
)
BATCH_CALLS = Histogram("seating_redis_batch_calls", "Concurrent calls that shared one write to Redis", buckets=_SIZES)
BATCH_SECONDS = Histogram(
    "seating_redis_batch_seconds", "From such a write to its last reply, Redis's fsync included", buckets=_LATENCIES
)
REDIRECTS = Counter(
    "seating_redis_redirects", "Calls that a Redis Cluster did not run and that were sent again", ["why"]
)
DONE_WITHOUT = Counter("seating_done_without_redis", "Decisions made without Redis, by cache or limit", ["what"])
DROPPED = Counter("seating_shared_state_dropped", "Shared state that could not be read, by script", ["script"])
PARTNER_CALLS = Counter("seating_partner_calls", "Calls to the event partner, by outcome", ["call", "outcome"])
"""`outcome` is `success`, `failure`, `abandoned`, or `refused` by the breaker; `unguarded` ones are counted extra."""
WRONG_KEYS = Counter("seating_wrong_keys", "Requests with an API key that does not exist")
# Of live processes only: gunicorn's master removes the file of a dead one.
CONNECTIONS = ProcessGauge("seating_http_connections", "Open connections", multiprocess_mode="livesum")
LIVE_CLIENTS = ProcessGauge("seating_live_clients", "Open WebSockets", multiprocess_mode="livesum")
LIVE_CLOSED = Counter("seating_live_closed", "Closed WebSockets, by close code", ["code"])
"""`code` is one of our close codes, never the client's."""
SLOW_CLIENTS = Counter("seating_live_slow_clients", "WebSockets that were dropped for being too slow", ["why"])
"""`why` is `full`: too much waited to be sent; `silent`: no reply to a ping; or `stuck`: it took no bytes."""


class Reading(NamedTuple):
    """The value of a metric that is read when it is scraped."""

    metric: "ReadMetric"
    value: float
    labels: tuple[str, ...]


class ReadMetric(NamedTuple):
    """A metric that other processes, Redis or SQL know: nothing here counts it."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    def reads(self, value: float, *labels: str) -> Reading:
        return Reading(self, value, labels)


READY: Final = ReadMetric("seating_ready", "Whether seats can be sold, as /ready says")
REDIS_UP: Final = ReadMetric("seating_redis_up", "Whether Redis answers")
REDIS_DURABLE: Final = ReadMetric("seating_redis_durable", "Whether Redis has the settings that keep what it sells")
REDIS_MEMORY: Final = ReadMetric("seating_redis_memory_bytes", "Memory that Redis uses")
REDIS_MEMORY_LIMIT: Final = ReadMetric("seating_redis_memory_limit_bytes", "Redis's maxmemory")
REDIS_FSYNC: Final = ReadMetric("seating_redis_fsync_seconds", "Redis's longest fsync lately, 0 below its threshold")
REDIS_AOF_OK: Final = ReadMetric("seating_redis_aof_ok", "Whether Redis's last write and rewrite of its log succeeded")
SQL_UP: Final = ReadMetric("seating_sql_up", "Whether SQL answers")
REPLICA_USED: Final = ReadMetric("seating_sql_replica_used", "Whether lists are read from the replica")
REPLICA_LAG: Final = ReadMetric("seating_sql_replica_lag_seconds", "How far the replica is behind, at most")
LOSSES: Final = ReadMetric("seating_losses", "Terms with confirmed changes that no store has, until settled")
LOST_CHANGES: Final = ReadMetric("seating_lost_changes", "Confirmed changes that no store has, until settled")
EVENTS_OPEN: Final = ReadMetric("seating_events_open", "Events with an inventory")
SEATS_SOLD: Final = ReadMetric("seating_seats_sold", "Seats sold of open events")
LAG_ENTRIES: Final = ReadMetric("seating_persistence_lag_entries", "Log entries that SQL does not have yet")
LAG_SECONDS: Final = ReadMetric("seating_persistence_lag_seconds", "Age of the oldest of them, 0 without")
EVENT_LAG_ENTRIES: Final = ReadMetric("seating_event_lag_entries", "The same, of events that lag most", ("event",))
EVENT_LAG_SECONDS: Final = ReadMetric("seating_event_lag_seconds", "The same, of events that lag most", ("event",))
UNTRUSTED: Final = ReadMetric("seating_inventories_untrusted", "Inventories that do not sell until compared with SQL")
MISSING: Final = ReadMetric("seating_inventories_missing", "Inventories that SQL knows of and Redis does not have")
STOPPED: Final = ReadMetric("seating_inventories_stopped", "Inventories that SQL cannot record until a merge")
QUARANTINED: Final = ReadMetric("seating_quarantined_entries", "Entries that wait in quarantine")
DAMAGED: Final = ReadMetric("seating_damaged_values", "Unreadable values that were set aside")
WORKERS: Final = ReadMetric("seating_workers", "Workers that are alive")
QUEUE_JOBS: Final = ReadMetric("seating_queue_jobs", "Jobs that wait for a worker")
LAST_RUN: Final = ReadMetric("seating_worker_last_run_timestamp_seconds", "When a worker last ended a run")
RUNS: Final = ReadMetric("seating_worker_runs", "Runs of workers", kind="counter")
RUN_SECONDS: Final = ReadMetric("seating_worker_run_seconds", "Time that these runs took", kind="counter")
RECORDED_ENTRIES: Final = ReadMetric("seating_worker_entries", "Log entries that workers recorded", kind="counter")
RECORDED_BATCHES: Final = ReadMetric("seating_worker_batches", "Transactions they recorded them in", kind="counter")
REBUILDS: Final = ReadMetric("seating_rebuilds", "Inventories that were rebuilt from SQL", kind="counter")
FORKED: Final = ReadMetric("seating_fork_entries", "Entries that only Redis had when one was rebuilt", kind="counter")
FORKED_ASIDE: Final = ReadMetric("seating_fork_entries_quarantined", "Those that wait in quarantine", kind="counter")
CRON_UP: Final = ReadMetric("seating_cron_up", "Whether a cron has reported in the last 10 seconds")
CRON_SEEN: Final = ReadMetric("seating_cron_last_run_timestamp_seconds", "When a cron last reported")
BREAKER_STATE: Final = ReadMetric("seating_breaker_state", "0 closed, 1 half-open, 2 open", ("breaker",))
BREAKER_OPENED: Final = ReadMetric("seating_breaker_opened_seconds", "When it opened, 0 if closed", ("breaker",))
BREAKER_PROBE: Final = ReadMetric("seating_breaker_probe_seconds", "When a probe is next, 0 if closed", ("breaker",))
BREAKER_FAILURES: Final = ReadMetric("seating_breaker_failures", "Failures within the window", ("breaker",))
BREAKER_OPENINGS: Final = ReadMetric("seating_breaker_openings", "How often it has opened", ("breaker",))

WEBHOOKS: Final = ReadMetric("seating_webhooks", "Webhooks, active or paused", ("state",))
WEBHOOKS_UNATTENDED: Final = ReadMetric("seating_webhooks_unattended", "Active ones with messages due, and no sender")
WEBHOOKS_FAILING: Final = ReadMetric("seating_webhooks_failing", "Those whose deliveries fail")
WEBHOOK_FAILING_SECONDS: Final = ReadMetric("seating_webhook_failing_seconds", "Time since the longest failure began")
WEBHOOK_LAG: Final = ReadMetric("seating_webhook_lag_entries", "Entries that active ones have not got yet")


def count_request(route: str, method: str, status: str, seconds: float) -> None:
    requests, duration = _bound(route, method, status)
    requests.inc()
    duration.observe(seconds)


@cache
def _bound(route: str, method: str, status: str) -> tuple[Counter, Histogram]:
    """Cached, because finding a metric by its labels costs more than counting. Routes are ours, so there are few."""
    return _requests.labels(route, method, status), _seconds.labels(route)


def observe_wait(since: Literal["arrival", "proxy"], seconds: float) -> None:
    _wait_since(since).observe(seconds)


@cache
def _wait_since(since: str) -> Histogram:
    return _waits.labels(since)


def count_purchase(outcome: str, seconds: float | None) -> None:
    """`outcome` is `sold`, `replayed` or the code of the refusal. Without `seconds` its time is not observed."""
    _count_outcome(_purchases, _purchase_seconds, outcome, seconds)


def count_hold(outcome: str, seconds: float | None) -> None:
    """`outcome` is `held`, `replayed`, `changed`, `extended`, `released` or the code of the refusal."""
    _count_outcome(_holds, _hold_seconds, outcome, seconds)


def _count_outcome(counter: Counter, histogram: Histogram, outcome: str, seconds: float | None) -> None:
    counted, timed = _bound_outcome(counter, histogram, outcome)
    counted.inc()
    if seconds is not None:
        timed.observe(seconds)


@cache
def _bound_outcome(counter: Counter, histogram: Histogram, outcome: str) -> tuple[Counter, Histogram]:
    return counter.labels(outcome), histogram.labels(outcome)
