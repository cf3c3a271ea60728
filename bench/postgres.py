"""`make bench-postgres`: what becomes slower in Postgres when it has 10,000,000 purchases (PURCHASES)."""

import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Final, NamedTuple

import psutil
import structlog
from sqlalchemy import text

from bench.report import Measurement, Table
from bench.shelves import Shelf
from seating.domain.page import all_items
from tests.servers import PostgresServer, RedisServer

_MANY: Final = 10_000_000
_FEW: Final = 10_000
_ROUNDS: Final = 2_000
_LONG_ROUNDS: Final = 3
_PRIORITY: Final = -15
"""While it measures; others on the machine would be measured too."""
_PAGE: Final = 1_000
_SETTINGS: Final = ("shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=30min")
_TEXT = """General admission, events of {few:,} purchases, each of one place and with an order number. A database with
{few:,} purchases and one with {many:,}, in one Postgres 18 (`fsync` on, 1 GB of `shared_buffers`) by a socket; the
product's services ask both in turns, {rounds:,} times for a random purchase of all, {long} times for what takes
longer, at a priority of {priority}, so that what else the machine does counts little. One event was sold by the
product; the others are copies of its rows, loaded with `COPY` into tables with all their indexes, and archived.
Loading {copied:,} purchases with their ledger took {load_s:,} s: **{loaded:,} purchases a second**. They occupy
{bytes:,} bytes a purchase, indexes included."""


class Sides(NamedTuple):
    """Times in ms, of the small and the large database."""

    few: list[float]
    many: list[float]


Act = Callable[[Shelf], object]


def in_turns(few: Shelf, many: Shelf, act: Act, rounds: int, prepare: Act = lambda _: None) -> Sides:
    """Time `act` on both, one after the other: what else the machine does meets both."""
    sides = Sides([], [])
    for _ in range(rounds):
        for shelf, times in zip((few, many), sides, strict=True):
            prepare(shelf)
            started = time.perf_counter()
            act(shelf)
            times.append((time.perf_counter() - started) * 1000)
    return sides


def short_acts(random: Random) -> dict[str, Act]:
    return {
        "find by id": lambda shelf: shelf.sale.purchases.get(shelf.any_purchase(random)),
        "find by reference": lambda shelf: shelf.sale.purchase_lists.page(
            shelf.any_event(random), None, 100, shelf.any_reference(random)
        ),
        "list, 100 purchases": lambda shelf: shelf.sale.purchase_lists.page(shelf.any_event(random), None, 100),
    }


def export(shelf: Shelf) -> int:
    """As `seating export` reads it."""
    return sum(1 for _ in all_items(lambda below: shelf.sale.purchase_lists.page(shelf.sold, below, _PAGE)))


def long_acts() -> dict[str, Act]:
    return {
        "export an event, ms": export,
        "income of an event, ms": lambda shelf: shelf.income.of(shelf.sold),
        "rebuild an event, ms": Shelf.rebuild,
    }


def rows(
    few: Shelf, many: Shelf, sold: int, rounds: int, long_rounds: int
) -> tuple[list[list[object]], list[list[object]]]:
    random = Random(7)
    short = []
    for name, act in short_acts(random).items():
        in_turns(few, many, act, rounds // 10)  # Connections, plans and caches are warm then.
        sides = in_turns(few, many, act, rounds)
        middle, last = ([statistic(side) for side in sides] for statistic in (median, _p99))
        short.append([name, *map(_ms, middle), _ratio(middle), *map(_ms, last), _ratio(last)])
        print(short[-1], flush=True)
    recording = in_turns(few, many, Shelf.record, long_rounds, Shelf.sell)
    per_s = [round(sold / median(side) * 1000) for side in recording]
    long: list[list[object]] = [["recorded by the worker, purchases a second", *per_s, _ratio(per_s)]]
    for name, act in long_acts().items():
        middle = [median(side) for side in in_turns(few, many, act, long_rounds)]
        long.append([name, *(round(value) for value in middle), _ratio(middle)])
        print(long[-1], flush=True)
    return short, long


def measure(few_purchases: int, purchases: int, rounds: int, long_rounds: int, priority: int = 0) -> Measurement:
    with tempfile.TemporaryDirectory(prefix="seating-bench-") as name:
        folder = Path(name)
        (folder / "postgres").mkdir()
        folder.chmod(0o755)
        server = PostgresServer(folder / "postgres", *_SETTINGS, fsync="on")
        servers = [RedisServer(folder / side, maxmemory_mb=512) for side in ("few", "many")]
        try:
            for redis in servers:
                redis.start()
            few, many = (Shelf(redis.url, server.new_database(), few_purchases) for redis in servers)
            started = time.perf_counter()
            copied = many.copy_until(purchases)
            load_s = time.perf_counter() - started
            for shelf in (few, many):
                shelf.settle()
            _run_at(priority)
            short, long = rows(few, many, few_purchases, rounds, long_rounds)
            size = many.sale.database.read(lambda connection: connection.execute(_SIZE).scalar_one())
        finally:
            server.stop()
            for redis in servers:
                redis.stop()
    said = {
        "few": few_purchases,
        "many": purchases,
        "rounds": rounds,
        "long": long_rounds,
        "copied": copied,
        "priority": priority,
    }
    said |= {"load_s": round(load_s), "loaded": round(copied / load_s), "bytes": round(size / purchases)}
    told = _TEXT.format(**said)
    report = Measurement("postgres", "Postgres at size", f"make bench-postgres PURCHASES={purchases}", told)
    sides = [f"{few_purchases:,}", f"{purchases:,}"]
    columns = ["", *(f"median ms, {side}" for side in sides), "/", *(f"p99 ms, {side}" for side in sides), "/"]
    report.tables = [
        Table("", "", columns, short),
        Table("", "", ["medians", *sides, "/"], long),
    ]
    return report


def _run_at(priority: int) -> None:
    """This process and its servers; the tests leave it as it is."""
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)) if priority else ():
        process.nice(priority)
        # Linux weighs sessions against each other first, and each backend of Postgres is a session of its own.
        group = Path(f"/proc/{process.pid}/autogroup")
        if group.exists():
            group.write_text(str(priority))


_SIZE: Final = text("SELECT pg_database_size(current_database())")


def _p99(times: Sequence[float]) -> float:
    return quantiles(times, n=100)[98]


def _ms(value: float) -> float:
    return round(value, 2)


def _ratio(sides: Sequence[float]) -> float:
    few, many = sides
    return round(many / few, 2)


def main(purchases: int = _MANY) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    report = measure(_FEW, purchases, _ROUNDS, _LONG_ROUNDS, _PRIORITY)
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
