"""Metrics, summed over all web processes (prometheus-client's multi-process mode).

Set PROMETHEUS_MULTIPROC_DIR before this module is first imported. Without it, a process counts only for itself.
"""

import os
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client import Gauge as ProcessGauge
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

STARTED_AT_S: Final = time.time()
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    # This process does not fork after the import, so its id is constant; by default every count queries it.
    _pid: Final = os.getpid()
    _LockedValue: Any = values.MultiProcessValue(lambda: _pid)  # type: ignore[no-untyped-call]

    class _Value(_LockedValue):  # type: ignore[misc]
        """Counts without the library's lock, which gevent's patch makes slow. Only the hub's thread counts."""

        def inc(self, amount: float) -> None:
            self._value += amount
            self._file.write_value(self._key, self._value, 0.0)

    values.ValueClass = _Value

_requests = Counter("seating_http_requests", "HTTP responses", ["route", "method", "status"])
_seconds = Histogram("seating_http_request_seconds", "Time to the response", ["route"], buckets=_BUCKETS)
_purchases = Counter("seating_purchases", "Purchase requests", ["outcome"])
_purchase_seconds = Histogram("seating_purchase_seconds", "Time to a purchase's response", buckets=_BUCKETS)
_batches = Counter("seating_redis_batches", "Writes to Redis, each shared by concurrent calls")
_calls = Counter("seating_redis_calls", "Calls in those writes")
_done_without = Counter("seating_done_without_redis", "Decisions made without Redis, by cache or limit", ["what"])
_dropped = Counter("seating_shared_state_dropped", "Shared state that could not be read, by script", ["script"])
_partner_calls = Counter("seating_partner_calls", "Calls to the event partner, by outcome", ["call", "outcome"])
_accept_wait = Histogram(
    "seating_http_accept_wait_seconds", "From a new connection's last segment to its process", buckets=_BUCKETS
)
_refused_connections = Counter("seating_http_connections_refused", "Connections refused for their address's limit")
_wrong_keys = Counter("seating_wrong_keys", "Requests with an API key that does not exist")
_missed_deadlines = Counter("seating_http_deadlines_missed", "Connections closed after a missed deadline", ["wait"])
# Of live processes only: gunicorn's master removes the file of a dead one.
_live_clients = ProcessGauge("seating_live_clients", "Open WebSockets", multiprocess_mode="livesum")
_live_closed = Counter("seating_live_closed", "Closed WebSockets, by close code", ["code"])


class Gauge(NamedTuple):
    """A value that is read when the metrics are scraped."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = MappingProxyType({})


class HttpTotals(NamedTuple):
    requests: int
    by_class: dict[str, int]
    mean_s: float


class PurchaseTotals(NamedTuple):
    """`p95_s` is the upper bound of the histogram bucket that the 95th percentile falls into, 0 without requests."""

    succeeded: int
    failed: int
    p95_s: float


def count_request(route: str, method: str, status: str, seconds: float) -> None:
    requests, duration = _bound(route, method, status)
    requests.inc()
    duration.observe(seconds)


@cache
def _bound(route: str, method: str, status: str) -> tuple[Counter, Histogram]:
    """Cached, because finding a metric by its labels costs more than counting. Routes are ours, so there are few."""
    return _requests.labels(route, method, status), _seconds.labels(route)


def observe_accept_wait(seconds: float) -> None:
    _accept_wait.observe(seconds)


def count_refused_connection() -> None:
    _refused_connections.inc()


def count_missed_deadline(wait: str) -> None:
    """`wait` is `head`, `body` or `send`."""
    _missed_deadlines.labels(wait).inc()


def count_purchase(outcome: str, seconds: float) -> None:
    """`outcome` is `sold`, `replayed` or the code of the refusal."""
    _bound_outcome(outcome).inc()
    _purchase_seconds.observe(seconds)


@cache
def _bound_outcome(outcome: str) -> Counter:
    return _purchases.labels(outcome)


def count_fail_open(what: str) -> None:
    """`what` is the cache or limit that was unavailable."""
    _done_without.labels(what).inc()


def count_wrong_key() -> None:
    _wrong_keys.inc()


def count_dropped(script: str) -> None:
    """`script` is the one that found unreadable state."""
    _dropped.labels(script).inc()


def count_batch(calls: int) -> None:
    _batches.inc()
    _calls.inc(calls)


def count_partner_call(call: str, outcome: str) -> None:
    """`outcome` is success, failure, abandoned or refused (by the breaker); unguarded calls are counted extra."""
    _partner_calls.labels(call, outcome).inc()


def live_opened() -> None:
    _live_clients.inc()


def live_closed(code: int) -> None:
    """`code` is one of our close codes, never the client's."""
    _live_clients.dec()
    _live_closed.labels(str(code)).inc()


def live_refused(code: int) -> None:
    _live_closed.labels(str(code)).inc()


def live_clients() -> int:
    """Return the open WebSockets of all web processes."""
    return int(sum(value for name, _, value in _samples("seating_live_clients")))


def http_totals() -> HttpTotals:
    by_class = Tally({"2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0})
    seconds = 0.0
    for name, labels, value in _samples("seating_http"):
        if name == "seating_http_requests_total":
            by_class[f"{labels['status'][0]}xx"] += int(value)
        elif name == "seating_http_request_seconds_sum":
            seconds += value
    requests = sum(by_class.values())
    return HttpTotals(requests, dict(by_class), seconds / requests if requests else 0.0)


def purchase_totals() -> PurchaseTotals:
    succeeded = failed = 0
    buckets: list[tuple[float, float]] = []
    for name, labels, value in _samples("seating_purchase"):
        if name == "seating_purchases_total":
            if labels["outcome"] in ("sold", "replayed"):
                succeeded += int(value)
            else:
                failed += int(value)
        elif name == "seating_purchase_seconds_bucket":
            buckets.append((float(labels["le"]), value))
    return PurchaseTotals(succeeded, failed, _percentile(sorted(buckets), 0.95))


def exposition(gauges: Iterable[Gauge]) -> bytes:
    """Return all metrics, including `gauges`, as Prometheus text."""
    registry = _registry()
    registry.register(_Gauges(gauges))
    return generate_latest(registry)


class _Gauges(Collector):
    def __init__(self, gauges: Iterable[Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for name, text, value, labels in self._gauges:
            family = families.setdefault(name, GaugeMetricFamily(name, text, labels=list(labels)))
            family.add_metric(list(labels.values()), value)
        yield from families.values()


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        _Processes(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    return registry


class _Processes(MultiProcessCollector):
    """Skips empty files: their processes are just starting, or were killed while starting."""

    def collect(self) -> Iterable[Metric]:
        files = _files_with_values(Path(self._path))
        return cast(Iterable[Metric], self.merge(files))  # type: ignore[no-untyped-call]


def _files_with_values(folder: Path) -> list[str]:
    found = []
    for path in folder.glob("*.db"):
        with suppress(FileNotFoundError):  # gunicorn's master removes the files of dead processes.
            if path.stat().st_size:
                found.append(str(path))
    return found


def _samples(prefix: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for metric in _registry().collect():
        if metric.name.startswith(prefix):
            for sample in metric.samples:
                yield sample.name, sample.labels, sample.value


def _percentile(buckets: list[tuple[float, float]], share: float) -> float:
    """`buckets` are (upper bound, count up to it) in rising order; the last bound is infinite."""
    if not buckets or not buckets[-1][1]:
        return 0.0
    wanted = buckets[-1][1] * share
    reached = next(bound for bound, count in buckets if count >= wanted)
    return reached if reached != float("inf") else buckets[-2][0]
