"""What the web processes of one instance have counted, for the routes that people read, and the sum over instances."""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import Final

import orjson

from seating.telemetry.exposition import summed_values

_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")
_SUCCEEDED: Final = ("sold", "replayed")
_UP_TO: Final = "purchases_up_to_"
_METRICS: Final = (
    "seating_live_clients",
    "seating_http_requests",
    "seating_http_request_seconds",
    "seating_purchases",
    "seating_purchase_seconds",
)


@dataclass(frozen=True, slots=True)
class WebCounts:
    """Named numbers: those of several instances, even of different versions, add up name by name."""

    numbers: Mapping[str, float]

    @classmethod
    def own(cls) -> "WebCounts":
        """Read those of this instance, from the files of its processes; without files, those of this process."""
        numbers: Tally[str] = Tally()
        for name, labels, value in summed_values(_METRICS):
            if key := _key(name, labels):
                numbers[key] += value  # type: ignore[assignment]  # The library declares counts as integers.
        return cls(numbers)

    @classmethod
    def parse(cls, text: bytes) -> "WebCounts":
        """Return what `to_json` returned. Raises ValueError."""
        found = orjson.loads(text)
        if not isinstance(found, dict) or not all(isinstance(value, int | float) for value in found.values()):
            raise ValueError("these are no counts")
        return cls(found)

    def to_json(self) -> bytes:
        return orjson.dumps(dict(self.numbers))

    def plus(self, others: Iterable["WebCounts"]) -> "WebCounts":
        total = Tally(self.numbers)
        for other in others:
            total.update(other.numbers)
        return WebCounts(total)

    @property
    def live_clients(self) -> int:
        """Open WebSockets."""
        return int(self.numbers.get("live_clients", 0))

    @property
    def responses(self) -> dict[str, int]:
        """HTTP responses by class."""
        return {name: int(self.numbers.get(name, 0)) for name in _CLASSES}

    @property
    def mean_s(self) -> float:
        """Mean time of a request in the application, 0 without requests."""
        requests = sum(self.responses.values())
        return self.numbers.get("request_s", 0.0) / requests if requests else 0.0

    @property
    def purchases(self) -> tuple[int, int]:
        """Purchase requests that succeeded, and those that failed."""
        return int(self.numbers.get("succeeded", 0)), int(self.numbers.get("failed", 0))

    @property
    def purchase_p95_s(self) -> float:
        """The upper bound of the histogram bucket that the 95th percentile falls into, 0 without purchases."""
        buckets = sorted(
            (float(name.removeprefix(_UP_TO)), count) for name, count in self.numbers.items() if name.startswith(_UP_TO)
        )
        wanted = 0.95 * sum(count for _, count in buckets)
        if not wanted:
            return 0.0
        reached = next(
            bound
            for (bound, _), upto in zip(buckets, accumulate(count for _, count in buckets), strict=True)
            if upto >= wanted
        )
        # As Prometheus's histogram_quantile does: the last bucket has no upper bound.
        return reached if reached != inf else buckets[-2][0]


def _key(name: str, labels: Mapping[str, str]) -> str:
    """Return what a sample counts as; "" for all that no route shows."""
    match name:
        case "seating_live_clients":
            return "live_clients"
        case "seating_http_requests_total":
            return f"{labels['status'][0]}xx"
        case "seating_http_request_seconds_sum":
            return "request_s"
        case "seating_purchases_total":
            return "succeeded" if labels["outcome"] in _SUCCEEDED else "failed"
        case "seating_purchase_seconds_bucket":
            return f"{_UP_TO}{labels['le']}"
    return ""
