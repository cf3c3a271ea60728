"""The costs that `seating size` reckons with, from the figures in docs/figures/."""

from dataclasses import asdict

from bench.report import FIGURES, Table, load
from seating.domain.sizing import Costs


def measured() -> Costs:
    """Raises StopIteration if a figure is not there."""
    purchase = _row("cost", 1, "b: purchase, general admission")
    read = _row("cost", 1, "c: GET /api/v1/event")
    live = _first_row("live", 0)
    kept = {row[0]: row[1] for row in _tables("footprint")[0].rows}
    messages_s = live["sockets"] * live["changes/s"]
    feeds_us = live["cores, web"] * 1e6 - live["changes/s"] * purchase["web µs"]
    return Costs(
        web_us_purchase=purchase["web µs"],
        web_us_read=read["web µs"],
        web_us_message=round(feeds_us / messages_s, 2),
        redis_us_purchase=purchase["Redis µs"],
        redis_us_purchase_seated=_row("cost", 1, "b': purchase of 50,000 seats")["Redis µs"],
        redis_us_read=read["Redis µs"],
        worker_us_purchase=purchase["worker µs"],
        web_bytes=_first_row("growth", 1)["web MB"] * 1_000_000,
        web_bytes_feed=round(live["KB a socket"] * 1000),
        redis_bytes_seat=kept["a seat in Redis"],
        redis_bytes_purchase=kept["a purchase in Redis"],
        aof_bytes_purchase=kept["a purchase in Redis's file"],
        sql_bytes_purchase=kept["a purchase in Postgres"],
        wire_bytes_visit=kept["a visit"],
        wire_bytes_purchase=kept["a purchase on the wire"],
        wire_bytes_message=kept["a live message"],
    )


def figures() -> dict[str, float]:
    return asdict(measured())


def _tables(name: str) -> list[Table]:
    return load(FIGURES / f"{name}.json").tables


def _row(name: str, table: int, first: str) -> dict[str, float]:
    found = _tables(name)[table]
    return dict(zip(found.columns, next(row for row in found.rows if row[0] == first), strict=True))


def _first_row(name: str, table: int) -> dict[str, float]:
    found = _tables(name)[table]
    return dict(zip(found.columns, found.rows[0], strict=True))
