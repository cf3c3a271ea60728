"""`make bench-cluster`: what three primaries of a Redis Cluster carry, beside one of them. ARGS='ROUNDS CALLS'."""

import os

from gevent import monkey

monkey.patch_all()
os.environ["RQ_KEY_PREFIX"] = "{rq}"  # Before RQ is imported.

import itertools  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Iterator, Sequence  # noqa: E402
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
third of them and of the purchases, one primary after the other: at once, they and the sender would share too few cores
and wait for each other. CPU time is that of all server processes all the time; the sender's is not in it. What the
primaries carry is limited by the busiest of them: **gain** is the CPU time of the one per purchase, divided by that of
the busiest of the three. Medians of {rounds} turns of {calls} purchases, of each primary."""


def open_events(services: BackgroundServices, cluster: Cluster) -> dict[int, list[str]]:
    """Events by the primary that has them, at least `_EVENTS` on one and a third of that on each."""
    found: dict[int, list[str]] = defaultdict(list)
    while len(found) < 3 or min(map(len, found.values())) < _EVENTS:
        event_id = services.event_creation.create("Test", 1_000_000, None, _BY).event.id
        found[cluster.primary_of(event_id)].append(event_id)
    return dict(found)


def cpu_us(cluster: Cluster, inventory: Inventory, groups: Sequence[Sequence[str]], calls: int) -> list[float]:
    """Return the CPU µs of each primary, by purchase, for `calls` purchases in all `groups` of events in turn."""
    primaries = cluster.primaries()
    before = [cluster.cpu_s(port) for port in primaries]
    for events in groups:
        orders = zip(itertools.cycle(events), range(calls // len(groups)), strict=False)

        def buy(orders: Iterator[tuple[str, int]] = orders) -> None:
            for event_id, _ in orders:
                inventory.purchase(event_id, "anonymous", f"{next(_numbers):064}", Order(1))

        gevent.joinall([gevent.spawn(buy) for _ in range(_AT_ONCE)], raise_error=True)
    spent = [cluster.cpu_s(port) - used for port, used in zip(primaries, before, strict=True)]
    return [seconds / calls * 1e6 for seconds in spent]


def main(rounds: int = 5, calls: int = 24_000) -> None:
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
            cases = {
                "one primary": [next(iter(of_each.values()))[:_EVENTS]],
                "three primaries": [events[: _EVENTS // 3] for events in of_each.values()],
            }
            calls_to_all = opening.pipelined(cluster.url)
            inventory = Inventory(calls_to_all, backlog_max_entries=10**9, backlog_memory_percent=99)
            turns: dict[str, list[list[float]]] = defaultdict(list)
            for number in range(rounds + 1):
                for name, groups in cases.items():
                    turn = cpu_us(cluster, inventory, groups, calls)
                    if number:  # In the first round, what is loaded on first use is loaded.
                        turns[name].append(turn)
        finally:
            cluster.stop()
    of_primaries = {name: [median(us) for us in zip(*of_name, strict=True)] for name, of_name in turns.items()}
    alone_us = max(of_primaries["one primary"])
    rows = [
        [name, round(sum(us), 1), round(max(us), 1), round(alone_us / max(us), 2)] for name, us in of_primaries.items()
    ]
    text = _TEXT.format(events=_EVENTS, at_once=_AT_ONCE, rounds=rounds, calls=f"{calls:,}")
    report = Measurement("cluster", "What a Redis Cluster carries", "make bench-cluster", text)
    report.tables = [Table("", "", ["", "all primaries, µs", "the busiest, µs", "gain"], rows)]
    print(rows)
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
