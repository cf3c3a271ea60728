"""`make simulate`: an Eras-sized sale, simulated with measured service times on three fleets.

Writes docs/figures/scale.json and two plots, of which docs/scale.md is made.
"""

import heapq
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import simpy

from bench import page, plots
from bench.costs import measured
from bench.report import Measurement, Table
from seating.domain import sizing
from seating.domain.sizing import READS_OF_VISIT, Costs, PlannedSale

# A quarter of the visitors come in the first minute, the others ever fewer within the hour.
VISITORS: Final = 14_000_000
TICKETS: Final = 2_400_000
SHOWS: Final = 52
_OF_PURCHASE: Final = 2
_AT_THE_DOOR: Final = 0.25
_DECAY_S: Final = 900.0
_TICK_S: Final = 0.25
_ENDS_S: Final = 3600.0
_COMES_BACK_S: Final = (5.0, 15.0)
_PATIENCE_S: Final = 10.0
"""After which a web process gives up a call of Redis."""
_CONNECTIONS: Final = 4096
"""WEB_CONNECTIONS: how many visitors a web process serves at once."""
_BACKLOG: Final = 100_000
"""BACKLOG_MAX_ENTRIES: how many changes of an event may wait for SQL."""
_TEXT = """What would become of a sale the size of a stadium tour: {visitors:,} visitors, who each read {reads} times
and try to buy two tickets, and {tickets:,} tickets in {shows} shows, some of which are in three times as much demand as
others. A quarter of the visitors come in the first minute, and the others within an hour, ever fewer (with a time
constant of {decay:.0f} minutes). `make simulate` asks [the simulation](../bench/simulate.py), whose service times are
those that `seating size` has, from [figures/](figures/): {web:.0f} µs of a web process and {redis:.0f} µs of Redis for
a visitor, {worker:.0f} µs of a worker for a purchase.

- **as planned** is what `seating size` says for this sale without live feeds.
- **sold out** counts from the opening. **p50** and **p99** are of the answers until then, from the request on, without
  the visitors' networks. **Refused** counts refusals, several of a visitor too: who is refused comes back after 5 to 15
  seconds.
- **waiting** are visitors who are being served, or were refused and will come back, at the worst moment.
- **breaks first** is the first limit that refuses somebody: the connections of all web processes, the 10 seconds that a
  web process waits for Redis, or the changes of an event that wait for SQL.

{findings}

What is extrapolated: everything beyond the two cores on which the service times were measured. Visitors move in
batches, one a quarter of a second and Redis node, and a batch occupies a stage for as long as all of it takes; so there
is no randomness, and nothing is said of latencies below half a second: [benchmarks.md](benchmarks.md) has those.
Networks, proxies and operating systems are taken to be wide enough, web processes and nodes to be alike and to add up,
and Postgres to take what the workers bring. A refused connection costs nothing. The page's own files and the plan come
from a proxy's cache: with them, the busiest second takes {gbits:.0f} Gbit/s.

Nobody has a live feed. With the seat map open, each of {present:,} visitors who come within the first half minute would
be told of each of the {changes:,.0f} changes a second of their show: {messages:.1f} billion messages a second in all,
for which no fleet is large enough. A sale of this size has to be of the best seats for a number of tickets, or to let
visitors in by turns; this version has no waiting room."""


class Fleet(NamedTuple):
    name: str
    processes: int
    nodes: int
    workers: int


@dataclass
class Run:
    """What came of one fleet; the series have a value a tick, and `broke` the moment at which each limit was met."""

    waiting: list[float] = field(default_factory=list)
    sold: list[float] = field(default_factory=list)
    answers: list[tuple[float, float]] = field(default_factory=list)
    broke: dict[str, float] = field(default_factory=dict)
    refused: float = 0.0
    sold_out_s: float | None = None

    def percentile_s(self, share: float) -> float:
        """Of the answers, each weighted by the visitors who got it."""
        times = np.array(sorted(self.answers))
        upto = np.cumsum(times[:, 1])
        return float(times[np.searchsorted(upto, upto[-1] * share), 0])


class Stage:
    """What works off one batch after another."""

    def __init__(self, environment: simpy.Environment) -> None:
        self._environment = environment
        self._turns = simpy.Resource(environment)
        self._free_at = 0.0

    @property
    def wait_s(self) -> float:
        """How long a batch that comes now waits for its turn."""
        return max(0.0, self._free_at - float(self._environment.now))

    def work(self, seconds: float) -> Generator[simpy.Event, Any, None]:
        self._free_at = max(self._free_at, float(self._environment.now)) + seconds
        with self._turns.request() as turn:
            yield turn
            yield self._environment.timeout(seconds)


class Sale:
    def __init__(self, fleet: Fleet, costs: Costs) -> None:
        self._fleet = fleet
        self._environment = simpy.Environment()
        self._web = Stage(self._environment)
        self._redis = [Stage(self._environment) for _ in range(fleet.nodes)]
        self._web_s = _web_us(costs) / 1e6 / fleet.processes
        self._redis_s = _redis_us(costs) / 1e6
        self._recorded_a_tick = fleet.workers * _TICK_S / (costs.worker_us_purchase / 1e6)
        self._demand = np.linspace(1.5, 0.5, SHOWS) / SHOWS
        self._left = np.full(SHOWS, TICKETS / SHOWS / _OF_PURCHASE)
        self._backlog = np.zeros(SHOWS)
        self._returning: list[tuple[float, float]] = []
        self._served_now = self._sent_away = 0.0
        self.run = Run()

    def simulate(self) -> Run:
        """Until all is sold and nobody waits."""
        self._environment.process(self._arrivals())
        self._environment.run()
        return self.run

    def _arrivals(self) -> Generator[simpy.Event, Any, None]:
        while self._now < _ENDS_S and (self.run.sold_out_s is None or self._now < 2 * self.run.sold_out_s):
            returned = _due(self._returning, self._now)
            self._sent_away -= returned
            came = arriving(self._now) + returned
            admitted = min(came, max(0.0, self._fleet.processes * _CONNECTIONS - self._served_now))
            if admitted < came:
                self._refuse(came - admitted, "connections")
            self._served_now += admitted
            for node in range(self._fleet.nodes) if admitted else ():
                shows = np.arange(node, SHOWS, self._fleet.nodes)
                self._environment.process(self._serve(self._redis[node], shows, admitted * self._demand[shows]))
            self._backlog *= 1 - min(1.0, self._recorded_a_tick / max(float(self._backlog.sum()), 1.0))
            self.run.waiting.append(self._served_now + self._sent_away)
            self.run.sold.append(TICKETS - float(self._left.sum()) * _OF_PURCHASE)
            yield self._environment.timeout(_TICK_S)

    def _serve(self, redis: Stage, shows: "np.ndarray", wanted: "np.ndarray") -> Generator[simpy.Event, Any, None]:
        began, count = self._now, float(wanted.sum())
        yield from self._web.work(count * self._web_s)
        if redis.wait_s > _PATIENCE_S:
            self._refuse(count, "Redis")
            self._served_now -= count
            return
        yield from redis.work(count * self._redis_s)
        full = self._backlog[shows] >= _BACKLOG
        if full.any():
            self._refuse(float(wanted[full].sum()), "the backlog for SQL")
            wanted = np.where(full, 0.0, wanted)
        bought = np.minimum(wanted, self._left[shows])
        self._left[shows] -= bought
        self._backlog[shows] += bought
        self._served_now -= count
        if self.run.sold_out_s is None:
            self.run.answers.append((self._now - began, float(wanted.sum())))
            if self._left.sum() < 1:
                self.run.sold_out_s = self._now

    def _refuse(self, count: float, limit: str) -> None:
        """They come back spread over some seconds."""
        self.run.broke.setdefault(limit, self._now)
        self.run.refused += count
        self._sent_away += count
        moments = np.linspace(*_COMES_BACK_S, 10)
        for moment in moments:
            heapq.heappush(self._returning, (self._now + float(moment), count / len(moments)))

    @property
    def _now(self) -> float:
        return float(self._environment.now)


def _web_us(costs: Costs) -> float:
    return costs.web_us_purchase + READS_OF_VISIT * costs.web_us_read


def _redis_us(costs: Costs) -> float:
    return costs.redis_us_purchase_seated + READS_OF_VISIT * costs.redis_us_read


def _due(waiting: list[tuple[float, float]], now: float) -> float:
    total = 0.0
    while waiting and waiting[0][0] <= now:
        total += heapq.heappop(waiting)[1]
    return total


def arriving(now: float) -> float:
    """Visitors of the tick that begins now."""
    at_the_door = VISITORS * _AT_THE_DOOR * _TICK_S / 60 if now < 60 else 0.0
    rest = VISITORS * (1 - _AT_THE_DOOR) / (1 - np.exp(-_ENDS_S / _DECAY_S))
    return at_the_door + float(rest * (np.exp(-now / _DECAY_S) - np.exp(-(now + _TICK_S) / _DECAY_S)))


def planned(watching: float = 0.0) -> PlannedSale:
    """The sale as `seating size` is told of it: its peak is the first minute."""
    first = sum(arriving(tick * _TICK_S) for tick in range(int(60 / _TICK_S)))
    peak = first / (VISITORS * 60 / _ENDS_S)
    return PlannedSale(SHOWS, TICKETS, VISITORS, _ENDS_S / 60, peak=peak, watching=watching)


def fleets(costs: Costs) -> list[Fleet]:
    needed = {need.what: int(need.amount) for need in sizing.needs(planned(), costs)}
    whole = Fleet("as planned", needed["web processes"], needed["Redis nodes"], needed["workers"])
    part = Fleet("a quarter of it", max(1, whole.processes // 4), max(1, whole.nodes // 4), max(1, whole.workers // 4))
    return [Fleet("one machine", 16, 1, 1), part, whole]


def main() -> None:
    costs = measured()
    found = {fleet: Sale(fleet, costs).simulate() for fleet in fleets(costs)}
    rows = [_row(fleet, run) for fleet, run in found.items()]
    present = sum(arriving(tick * _TICK_S) for tick in range(int(30 / _TICK_S)))
    changes_s = planned().visits_s / SHOWS
    text = _TEXT.format(
        visitors=VISITORS,
        tickets=TICKETS,
        shows=SHOWS,
        reads=READS_OF_VISIT,
        decay=_DECAY_S / 60,
        web=_web_us(costs),
        redis=_redis_us(costs),
        worker=costs.worker_us_purchase,
        findings=_findings(found),
        present=int(round(present, -3)),
        gbits=next(need.amount for need in sizing.needs(planned(), costs) if need.what == "bandwidth") / 1000,
        changes=changes_s,
        messages=present * changes_s / 1e9,
    )
    report = Measurement("scale", "A sale of 14 million visitors", "make simulate", text)
    columns = ["fleet", "web processes", "Redis nodes", "workers", "sold out, s", "p50, s", "p99, s"]
    report.tables = [Table("", "", [*columns, "waiting", "refused", "breaks first", "after, s"], rows)]
    series = {fleet.name: run for fleet, run in found.items()}
    report.plots = [
        plots.over_time(
            "scale-waiting", "visitors waiting", {name: _points(run.waiting) for name, run in series.items()}
        ),
        plots.over_time("scale-sold", "tickets sold", {name: _points(run.sold) for name, run in series.items()}),
    ]
    report.save()
    page.write()


def _row(fleet: Fleet, run: Run) -> list[object]:
    limit, after_s = min(run.broke.items(), key=lambda pair: pair[1], default=("nothing", ""))
    times = [round(run.percentile_s(share), 1) for share in (0.5, 0.99)]
    sold_out = "not within the hour" if run.sold_out_s is None else round(run.sold_out_s)
    row = [*fleet, sold_out, *times, round(max(run.waiting)), round(run.refused), limit, after_s]
    print(row)
    return row


def _findings(found: dict[Fleet, Run]) -> str:
    lines = []
    for fleet, run in found.items():
        limits = ", ".join(f"{limit} after {after_s:.0f} s" for limit, after_s in run.broke.items()) or "none"
        lines.append(f"- {fleet.name}: limits met: {limits}.")
    return "\n".join(lines)


def _points(values: list[float]) -> list[tuple[float, float]]:
    """One in four, which is one a second."""
    return [(number * _TICK_S, value) for number, value in enumerate(values)][::4]


if __name__ == "__main__":
    main()
