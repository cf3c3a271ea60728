"""`make bench-cluster`: what three primaries of a Redis Cluster carry, beside one of them. ARGS='ROUNDS CALLS'."""

import os

from gevent import monkey

monkey.patch_all()
os.environ["RQ_KEY_PREFIX"] = "{rq}"  # Before RQ is imported.

import itertools  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402

import gevent  # noqa: E402
import structlog  # noqa: E402

from bench.report import Measurement, Table  # noqa: E402
from seating.config import Settings  # noqa: E402
from seating.domain.actor import Actor  # noqa: E402
from seating.domain.purchase import Order  # noqa: E402
from seating.redis_store import opening  # noqa: E402
from seating.redis_store.inventory import Inventory  # noqa: E402
from seating.runtime import BackgroundServices  # noqa: E402
from seating.storage import migrations  # noqa: E402
from tests.clusters import Cluster  # noqa: E402

_EVENTS = 12
_AT_ONCE = 512
_BY = Actor("operator", "127.0.0.1", "bench", "a measurement")
_numbers = itertools.count()

_TEXT = """General-admission purchases of {events} events, {at_once} at once over one `ClusterCalls`, without HTTP and
without a worker; each primary has a replica. **one primary** has all the events, or each of **three primaries** has a
third of them. CPU time is that of the server processes; the sender's is not in it. What the primaries carry is limited
by the busiest of them: **gain** is the CPU time of the one per purchase, divided by that of the busiest of the three.
Medians of {rounds} turns of {calls} purchases."""


def open_events(services: BackgroundServices, cluster: Cluster) -> dict[int, list[str]]:
    """Events by the primary that has them, at least `_EVENTS` on one and a third of that on each."""
    found: dict[int, list[str]] = defaultdict(list)
    while len(found) < 3 or min(map(len, found.values())) < _EVENTS:
        event_id = services.event_creation.create("Test", 1_000_000, None, _BY).event.id
        found[cluster.primary_of(event_id)].append(event_id)
    return dict(found)


def cpu_us(cluster: Cluster, inventory: Inventory, events: Sequence[str], calls: int) -> list[float]:
    """Return the CPU µs a purchase of each primary, the busiest first."""
    primaries = cluster.primaries()
    before = [cluster.cpu_s(port) for port in primaries]
    orders = zip(itertools.cycle(events), range(calls), strict=False)

    def buy() -> None:
        for event_id, _ in orders:
            inventory.purchase(event_id, "anonymous", f"{next(_numbers):064}", Order(1))

    gevent.joinall([gevent.spawn(buy) for _ in range(_AT_ONCE)], raise_error=True)
    spent = [cluster.cpu_s(port) - used for port, used in zip(primaries, before, strict=True)]
    return sorted((seconds / calls * 1e6 for seconds in spent), reverse=True)


def main(rounds: int = 5, calls: int = 20_000) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))  # Warnings, and errors.
    with tempfile.TemporaryDirectory(prefix="seating-bench-") as folder:
        cluster = Cluster(Path(folder) / "redis", node_timeout_ms=60_000, maxmemory_mb=1024)
        try:
            cluster.start()
            url = f"sqlite:///{folder}/seating.db"
            services = BackgroundServices(
                Settings(_env_file=None, redis_url=cluster.url, database_url=url, seating_data_dir=Path(folder))
            )
            migrations.upgrade(services.database)
            of_each = open_events(services, cluster)
            ones = next(iter(of_each.values()))[:_EVENTS]
            thirds = [event_id for events in of_each.values() for event_id in events[: _EVENTS // 3]]
            calls_to_all = opening.pipelined(cluster.url)
            inventory = Inventory(calls_to_all, backlog_max_entries=10**9, backlog_memory_percent=99)
            turns: dict[str, list[list[float]]] = {"one primary": [], "three primaries": []}
            for events in (ones, thirds):
                cpu_us(cluster, inventory, events, calls // 4)  # What is loaded on first use is loaded.
            for _ in range(rounds):
                turns["one primary"].append(cpu_us(cluster, inventory, ones, calls))
                turns["three primaries"].append(cpu_us(cluster, inventory, thirds, calls))
        finally:
            cluster.stop()
    busiest = {name: median(turn[0] for turn in of_name) for name, of_name in turns.items()}
    text = _TEXT.format(events=_EVENTS, at_once=_AT_ONCE, rounds=rounds, calls=f"{calls:,}")
    report = Measurement("cluster", "What a Redis Cluster carries", "make bench-cluster", text)
    rows = [
        [
            name,
            round(median(sum(turn) for turn in turns[name]), 1),
            round(one, 1),
            round(busiest["one primary"] / one, 2),
        ]
        for name, one in busiest.items()
    ]
    report.tables = [Table("", "", ["", "all primaries, µs", "the busiest, µs", "gain"], rows)]
    print(rows)
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
