"""Reads the metrics of all web processes of this instance."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import orjson
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from seating.telemetry import metrics_folder
from seating.telemetry.metrics import Reading


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


def summed_values(names: Sequence[str]) -> Iterator[tuple[str, dict[str, str], float]]:
    """Return series, labels and value of the metrics `names`, as each process of this instance has counted them.

    They are to be summed, as counters, histograms and gauges of living processes are; a bucket of a histogram is
    without those below it. All metrics together take three times as long to read.
    """
    folder = metrics_folder.current()
    if folder is None:
        yield from _own_values(names)
        return
    # A key is JSON that begins with the metric's name, so most keys need not be parsed.
    wanted = tuple(f'["{name}", ' for name in names)
    for file in _files_with_values(folder):
        with suppress(FileNotFoundError):
            for key, value, *_ in MmapedDict.read_all_values_from_file(file):  # type: ignore[no-untyped-call]
                if key.startswith(wanted):
                    _, series, labels, _ = orjson.loads(key)
                    yield series, labels, value


def _own_values(names: Sequence[str]) -> Iterator[tuple[str, dict[str, str], float]]:
    """Return those of this process, which has no file."""
    for metric in REGISTRY.collect():
        below = 0.0
        for sample in metric.samples if metric.name in names else ():
            is_bucket = sample.name.endswith("_bucket")
            yield sample.name, dict(sample.labels), sample.value - (below if is_bucket else 0.0)
            below = sample.value if is_bucket else 0.0
