"""From what one purchase, one visit and one live feed cost to the machines that a sale needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple

from seating.domain.errors import InvalidRequest

BUSY: Final = 0.6
"""The share of a core that is planned for: at more, queues grow long."""
_FEED_SHARE: Final = 0.2
"""The share of its time that a web process gives to live feeds at most: it pauses four times as long as it writes."""
_REQUESTS_SHARE: Final = BUSY - _FEED_SHARE
_FEEDS_OF_PROCESS: Final = 3072
"""Three quarters of WEB_CONNECTIONS' default."""
_FREE_FILES: Final = 1024
READS_OF_VISIT: Final = 4
"""The event, its plan, its seats, and once more the event. The page's files come from a proxy's cache."""
_ADMISSION_MESSAGES_S: Final = 10.0
"""What a feed of general admission sends at most."""
_GB: Final = 1e9


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured: CPU time in µs, sizes in bytes. A purchase is of two seats where it is a matter of bytes."""

    web_us_purchase: float
    web_us_read: float
    web_us_message: float
    redis_us_purchase: float
    redis_us_purchase_seated: float
    redis_us_read: float
    worker_us_purchase: float
    web_bytes: float
    web_bytes_feed: float
    redis_bytes_seat: float
    redis_bytes_purchase: float
    aof_bytes_purchase: float
    sql_bytes_purchase: float
    wire_bytes_visit: float
    wire_bytes_purchase: float
    wire_bytes_message: float


@dataclass(frozen=True, slots=True)
class PlannedSale:
    """`seats` are of all events together, and `visitors` come within `minutes`, each to buy once.

    In the busiest second `peak` times as many come as in the mean one. `watching` is the share of visitors whose live
    feeds are open at once. Raises InvalidRequest.
    """

    events: int
    seats: int
    visitors: int
    minutes: float
    seated: bool = True
    seats_of_purchase: float = 2.0
    peak: float = 3.0
    watching: float = 1.0

    def __post_init__(self) -> None:
        if self.seats < self.events:
            raise InvalidRequest(f"Seats must be at least {self.events}: each event has one", "seats")

    @property
    def visits_s(self) -> float:
        """Visits, and attempts to buy, in the busiest second."""
        return self.peak * self.visitors / (self.minutes * 60)

    @property
    def purchases(self) -> float:
        """How many purchases sell everything, or serve every visitor."""
        return min(self.visitors, self.seats / self.seats_of_purchase)

    @property
    def feeds(self) -> float:
        return self.visitors * self.watching


class Load(NamedTuple):
    """CPU time in the busiest second, in cores; `feeds` is of all live feeds together, `one_event` of its Redis."""

    requests: float
    feeds: float
    redis: float
    one_event: float
    worker: float


class Need(NamedTuple):
    """How much of what is needed, and why so much."""

    what: str
    amount: float
    unit: str
    because: str


def load(sale: PlannedSale, costs: Costs) -> Load:
    """Return the CPU time that the busiest second takes, while there are seats left."""
    redis_us = costs.redis_us_purchase_seated if sale.seated else costs.redis_us_purchase
    redis = sale.visits_s * (redis_us + READS_OF_VISIT * costs.redis_us_read) / 1e6
    return Load(
        requests=sale.visits_s * (costs.web_us_purchase + READS_OF_VISIT * costs.web_us_read) / 1e6,
        feeds=sale.feeds * _messages_s(sale) * costs.web_us_message / 1e6,
        redis=redis,
        one_event=redis / sale.events,
        worker=sale.visits_s * costs.worker_us_purchase / 1e6,
    )


def needs(sale: PlannedSale, costs: Costs) -> list[Need]:
    """Return what the sale needs, web processes first."""
    busy = load(sale, costs)
    processes, reason = _web_processes(sale, busy)
    nodes = min(sale.events, ceil(busy.redis / BUSY))
    kept = sale.seats * costs.redis_bytes_seat + sale.purchases * costs.redis_bytes_purchase
    web_bytes = processes * costs.web_bytes + sale.feeds * costs.web_bytes_feed
    return [
        Need("web processes", processes, "", reason),
        Need("web memory", web_bytes / _GB, "GB", f"{sale.feeds:,.0f} live feeds"),
        Need(
            "open files of a web process", ceil(sale.feeds / processes) + _FREE_FILES, "", "a file for each connection"
        ),
        Need("Redis nodes", nodes, "", f"{busy.redis:.2f} cores at the peak; one event is on one of them"),
        Need("Redis maxmemory of a node", 2 * kept / nodes / _GB, "GB", "half of it is for the backlog"),
        Need("Redis memory of a node", 4 * kept / nodes / _GB, "GB", "a rewrite of its file forks"),
        Need(
            "Redis disk of a node", sale.purchases * costs.aof_bytes_purchase / nodes / _GB, "GB", "the log of changes"
        ),
        Need("workers", max(1, ceil(busy.worker / BUSY)), "", f"{busy.worker:.2f} cores at the peak"),
        Need("Postgres", sale.purchases * costs.sql_bytes_purchase / _GB, "GB", f"{sale.purchases:,.0f} purchases"),
        Need("bandwidth", _bandwidth_bytes(sale, costs) * 8 / 1e6, "Mbit/s", "pages, purchases and live feeds"),
    ]


def bottleneck(sale: PlannedSale, costs: Costs) -> str:
    """Return what limits the sale first, as a sentence."""
    busy = load(sale, costs)
    share, attempts_s = busy.one_event / BUSY, sale.visits_s / sale.events
    if share > 1:
        return (
            f"One event's Redis: {attempts_s:,.0f} try to buy in a second, and it serves {attempts_s / share:,.0f}. "
            "No second node can share it; let the visitors in more slowly."
        )
    _, reason = _web_processes(sale, busy)
    return f"Web processes, for {reason}; more can be added. One event's Redis is {share:.0%} busy of what is planned."


def _web_processes(sale: PlannedSale, busy: Load) -> tuple[int, str]:
    """Two at least, so that one can be replaced while the other sells."""
    wanted: Iterator[tuple[int, str]] = iter(
        (
            (ceil(busy.requests / _REQUESTS_SHARE), f"{sale.visits_s:,.0f} visits and attempts to buy a second"),
            (ceil(busy.feeds / _FEED_SHARE), f"{sale.feeds * _messages_s(sale):,.0f} messages of live feeds a second"),
            (ceil(sale.feeds / _FEEDS_OF_PROCESS), f"{sale.feeds:,.0f} open connections"),
            (2, "replacing one while the other sells"),
        )
    )
    return max(wanted, key=lambda pair: pair[0])


def _messages_s(sale: PlannedSale) -> float:
    """How many messages each feed gets in the busiest second: one a change of its event."""
    changes_s = sale.visits_s / sale.events
    return changes_s if sale.seated else min(changes_s, _ADMISSION_MESSAGES_S)


def _bandwidth_bytes(sale: PlannedSale, costs: Costs) -> float:
    """In the busiest second, from the web processes to the visitors."""
    visits = sale.visits_s * (costs.wire_bytes_visit + costs.wire_bytes_purchase)
    return visits + sale.feeds * _messages_s(sale) * costs.wire_bytes_message
