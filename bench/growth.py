"""`make bench-growth`: what becomes slower, or larger, when there is more of it.

ARGS='SECONDS ROUNDS'. The million past purchases and the ten thousand events take minutes to make.
"""

import sys
from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import NamedTuple

from bench import plots
from bench.cost import Case, take
from bench.report import Measurement, Table
from bench.served import Served, is_recorded, services_of
from seating.domain.actor import Actor
from seating.domain.idempotency import short_hash
from seating.domain.purchase import Order
from tests.servers import wait_until

_EVENTS = (1, 100, 10_000)
_SOLD_AT_ONCE = 100
_SEATS = (1_000, 10_000, 100_000)
_PAST = (0, 1_000_000)
_PROCESSES = (1, 2, 4)
_TEXT = """Purchases of one seat, 256 connections, two web processes unless said otherwise; medians of {rounds} turns
of {seconds} s each. **MB** are of what is in use: each web process's own memory (the mean), the worker's, and Redis's
data."""


class Point(NamedTuple):
    per_s: float
    p99_ms: float
    web_us: float
    redis_us: float
    worker_us: float
    web_mb: float
    worker_mb: float
    redis_mb: float


class Growth:
    def __init__(self, seconds: int, rounds: int) -> None:
        self._seconds, self._rounds = seconds, rounds

    def point(self, served: Served, paths: Sequence[str]) -> Point:
        case = Case("", served, lambda: list(paths), sells=True)
        turns = [take(case, 256, self._seconds) for _ in range(self._rounds)]
        web = [worker.memory_full_info().uss for worker in served.workers()]
        mb = (sum(web) / len(web), served.worker().memory_full_info().uss, served.redis.client().info()["used_memory"])
        costs = [
            median(column)
            for column in zip(*((t.per_s, t.p99_ms, t.web_us, t.redis_us, t.worker_us) for t in turns), strict=True)
        ]
        point = Point(*costs, *(size / 1e6 for size in mb))
        print(point)
        return point

    def events(self) -> dict[int, Point]:
        """General admission; at most a hundred of the open events are sold at a time."""
        found = {}
        with Served() as served:
            paths: list[str] = []
            for count in _EVENTS:
                services = services_of(served)
                opened = [
                    services.event_creation.create("Test", 100_000, None, Actor("bench")).event.id
                    for _ in range(count - len(paths))
                ]
                paths += [f"/api/v1/events/{event_id}/purchases" for event_id in opened]
                found[count] = self.point(served, paths[-_SOLD_AT_ONCE:])
        return found

    def seats(self) -> dict[int, Point]:
        """As many seats in all, so that none is sold out."""
        found = {}
        for seats in _SEATS:
            sections = max(1, seats // 1000)
            plan = {"generate": {"sections": sections, "rows": 20, "seatsPerRow": 50}}
            with Served() as served:
                found[seats] = self.point(served, served.open_events(100_000 // seats, seatingPlan=plan))
        return found

    def past(self) -> dict[int, Point]:
        """Of the very event that is being sold, all of them in SQL and their keys in Redis."""
        found = {}
        for count in _PAST:
            with Served() as served:
                event_id = served.create_event(totalSeats=5_000_000)
                inventory = services_of(served).purchases.inventory
                for number in range(count):
                    inventory.purchase(event_id, "anonymous", short_hash("anonymous", f"past-{number}"), Order(1))
                wait_until(partial(is_recorded, inventory, event_id), 300, "the past to be recorded")
                found[count] = self.point(served, [f"/api/v1/events/{event_id}/purchases"])
        return found

    def processes(self) -> dict[int, Point]:
        """On the machine's cores, which the load generator, Redis and the worker share with them."""
        found = {}
        for count in _PROCESSES:
            with Served(WEB_WORKERS=str(count)) as served:
                found[count] = self.point(served, served.open_events(4, totalSeats=100_000))
        return found


def main(seconds: int = 4, rounds: int = 3) -> None:
    growth = Growth(seconds, rounds)
    report = Measurement("growth", "What grows", "make bench-growth", _TEXT.format(seconds=seconds, rounds=rounds))
    parts = {
        "open events": growth.events,
        "seats": growth.seats,
        "past purchases": growth.past,
        "web processes": growth.processes,
    }
    for name, measure in parts.items():
        found = measure()
        columns = [name, "per s", "p99 ms", "web µs", "Redis µs", "worker µs", "web MB", "worker MB", "Redis MB"]
        rows = [[count, round(point.per_s), *(round(value) for value in point[1:])] for count, point in found.items()]
        report.tables.append(Table(name.capitalize(), measure.__doc__ or "", columns, rows))
        series = {"purchases/s": [(float(count), point.per_s) for count, point in found.items()]}
        report.plots.append(plots.lines(f"growth-{name.replace(' ', '-')}", (name, "purchases/s"), series))
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
