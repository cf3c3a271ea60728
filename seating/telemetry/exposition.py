"""Reads the metrics of all web processes: as Prometheus text, and as totals for people."""

import os
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, cast

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from seating.telemetry.metrics import Reading


class HttpTotals(NamedTuple):
    requests: int
    by_class: dict[str, int]
    mean_s: float


class PurchaseTotals(NamedTuple):
    """`p95_s` is the upper bound of the histogram bucket that the 95th percentile falls into, 0 without requests."""

    succeeded: int
    failed: int
    p95_s: float


def live_clients() -> int:
    """Return the open WebSockets of all web processes."""
    return int(sum(value for name, _, value in _samples("seating_live_clients")))


def http_totals() -> HttpTotals:
    by_class = Tally({"2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0})
    seconds = 0.0
    for name, labels, value in _samples("seating_http_request"):
        if name == "seating_http_requests_total":
            by_class[f"{labels['status'][0]}xx"] += int(value)
        elif name == "seating_http_request_seconds_sum":
            seconds += value
    requests = sum(by_class.values())
    return HttpTotals(requests, dict(by_class), seconds / requests if requests else 0.0)


def purchase_totals() -> PurchaseTotals:
    succeeded = failed = 0
    buckets: Tally[float] = Tally()
    for name, labels, value in _samples("seating_purchase"):
        if name == "seating_purchases_total":
            if labels["outcome"] in ("sold", "replayed"):
                succeeded += int(value)
            else:
                failed += int(value)
        elif name == "seating_purchase_seconds_bucket":
            buckets[float(labels["le"])] += int(value)
    return PurchaseTotals(succeeded, failed, _percentile(sorted(buckets.items()), 0.95))


def exposition(readings: Iterable[Reading]) -> bytes:
    """Return all metrics, including `readings`, as Prometheus text."""
    registry = _registry()
    registry.register(_Readings(readings))
    return generate_latest(registry)


class _Readings(Collector):
    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for metric, value, labels in self._readings:
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = families.setdefault(metric.name, kind(metric.name, metric.help, labels=metric.labels))
            family.add_metric(labels, value)
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


def _percentile(buckets: list[tuple[float, int]], share: float) -> float:
    """`buckets` are (upper bound, count up to it) in rising order; the last bound is infinite."""
    if not buckets or not buckets[-1][1]:
        return 0.0
    wanted = buckets[-1][1] * share
    reached = next(bound for bound, count in buckets if count >= wanted)
    return reached if reached != float("inf") else buckets[-2][0]
