"""`make bench`: what a request costs, beside a bare Flask route on the same server, in one run.

ARGS='SECONDS ROUNDS'. What is compared takes turns; figures are the medians of the rounds.
"""

import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from bench import plots, wrk
from bench.report import Measurement, Table
from bench.served import BARE, Cpu, Served
from tests.servers import wait_until

_CONNECTIONS = (64, 256)
_BODY = '{"quantity":1}'
_COLUMNS = [
    *("request", "per s", "p50 ms", "p99 ms", "/ a", "/ a'", "web µs", "Redis µs", "worker µs"),
    *("calls a batch", "% in SQL at the end", "s until lag 0"),
]
_TEXT = """Two web processes each: *a* on gunicorn's own gevent worker without any setting of ours, all else on ours.
Behind the product's rows run Redis (`appendfsync always`), SQLite (`synchronous=FULL`), a worker and a cron, and each
of their requests is logged and counted; *a* and *a2* have none of this. wrk runs on the same cores, and sends a
connection's next request when it has the answer to the last. Only 200s are counted: a run with any other answer is
thrown away with an error. Each figure is the median of {rounds} rounds of {seconds} s, in which the requests took
turns.

- **a** parses a JSON body and answers JSON, and **a2** does so on our worker. **a'** is the same view behind all that
  the product puts around its own: request id, log line, metrics, error table, and the rate limit, which is a round trip
  to Redis; its limit is raised so that it never refuses. *framed, not limited* is a' without that round trip.
- **on a new connection**: the client closes each connection after its answer, as in a crowd that was not there before.
- **/ a** and **/ a'** are ratios of rates. **web**, **Redis** and **worker µs** are CPU time a request.
- **% in SQL at the end**: of the purchases that were answered, those that SQL had when the load ended."""


class Case(NamedTuple):
    """`paths` opens what the requests need, freshly for each round."""

    name: str
    served: Served
    paths: Callable[[], list[str]]
    body: str = _BODY
    sells: bool = False
    prefer: str = ""
    closes: bool = False


class Turn(NamedTuple):
    """One case in one round. CPU times are µs a request; `recorded` is the share that SQL had when the load ended."""

    per_s: float
    p50_ms: float
    p99_ms: float
    web_us: float
    redis_us: float
    worker_us: float
    batch: float
    recorded: float
    drained_s: float


def cases(stock: Served, bare: Served, product: Served) -> list[Case]:
    def hall(seats: int) -> Callable[[], list[str]]:
        plan = {"generate": {"sections": seats // 500, "rows": 20, "seatsPerRow": 25}}
        return lambda: product.open_events(max(2, 50_000 // seats), seatingPlan=plan)

    def only(path: str) -> Callable[[], list[str]]:
        return lambda: [path]

    return [
        Case("a: bare Flask route on stock gunicorn", stock, only("/bare")),
        Case("a2: the same on our worker", bare, only("/bare")),
        Case("a': the same, framed and limited", product, only("/limited")),
        Case("framed, not limited", product, only("/framed")),
        Case("b: purchase, general admission", product, lambda: product.open_events(4, totalSeats=100_000), sells=True),
        Case("a, each on a new connection", stock, only("/bare"), closes=True),
        Case(
            "b, each on a new connection",
            product,
            lambda: product.open_events(4, totalSeats=100_000),
            sells=True,
            closes=True,
        ),
        Case("b': purchase of 5,000 seats", product, hall(5_000), sells=True),
        Case("b': purchase of 50,000 seats", product, hall(50_000), sells=True),
        Case("c: GET /api/v1/event", product, only("/api/v1/event"), body=""),
        Case("d: GET /users/1, cached", product, only("/users/1"), body=""),
    ]


def take(case: Case, connections: int, seconds: int, at_load: Callable[[], object] = lambda: None) -> Turn:
    """`at_load` is called when all is warm and the load begins."""
    served = case.served
    paths = case.paths()
    wrk.run(served.port, 8, 1, paths, case.body, keys=case.sells)  # What is loaded on first use is loaded.
    _drained(served)
    cpu, batches = served.cpu(), served.batches()
    at_load()
    options = {"keys": case.sells, "prefer": case.prefer, "closes": case.closes}
    load = wrk.run(served.port, connections, seconds, paths, case.body, **options)
    lag, ended = served.lag() if case.sells else 0, time.monotonic()
    _drained(served)
    drained_s = time.monotonic() - ended
    used = Cpu(*((after - before) * 1e6 / load.requests for before, after in zip(cpu, served.cpu(), strict=True)))
    writes, calls = (after - before for before, after in zip(batches, served.batches(), strict=True))
    return Turn(
        *(load.per_s, load.p50_ms, load.p99_ms),
        web_us=used.web,
        redis_us=used.redis,
        worker_us=used.worker,
        batch=calls / writes if writes else 0,
        recorded=1 - lag / load.requests,
        drained_s=drained_s if case.sells else 0,
    )


def _drained(served: Served) -> None:
    wait_until(lambda: served.lag() == 0, 60, "the lag to be zero")


def measure(chosen: Sequence[Case], seconds: int, rounds: int) -> dict[tuple[str, int], Turn]:
    """The median of the rounds, by case and connections."""
    turns: dict[tuple[str, int], list[Turn]] = {}
    for _ in range(rounds):
        for connections in _CONNECTIONS:
            for case in chosen:
                turns.setdefault((case.name, connections), []).append(take(case, connections, seconds))
                print(f"{case.name}, {connections} connections: {turns[case.name, connections][-1].per_s:.0f}/s")
    return {key: Turn(*(median(column) for column in zip(*rows, strict=True))) for key, rows in turns.items()}


def table(found: dict[tuple[str, int], Turn], connections: int, sales: set[str]) -> Table:
    """`sales` are the cases of which it matters when SQL has them."""
    turns = {name: turn for (name, count), turn in found.items() if count == connections}
    bare, framed = (next(turn for name, turn in turns.items() if name.startswith(letter)) for letter in ("a:", "a':"))
    rows = []
    for name, turn in turns.items():
        per_s = turn.per_s
        ratios = [round(per_s / bare.per_s, 2), round(per_s / framed.per_s, 2)]
        costs = [round(cost) for cost in (turn.web_us, turn.redis_us, turn.worker_us)]
        latencies = [round(turn.p50_ms, 1), round(turn.p99_ms, 1)]
        batch = round(turn.batch, 1) if turn.batch else ""
        recorded = [round(turn.recorded * 100, 1), round(turn.drained_s, 1)] if name in sales else ["", ""]
        rows.append([name, round(per_s), *latencies, *ratios, *costs, batch, *recorded])
    return Table(f"{connections} connections", "", _COLUMNS, rows)


def main(seconds: int = 5, rounds: int = 5) -> None:
    with Served(BARE, stock=True) as stock, Served(BARE) as bare, Served() as product:
        chosen = cases(stock, bare, product)
        found = measure(chosen, seconds, rounds)
    report = Measurement("cost", "What a request costs", "make bench", _TEXT.format(seconds=seconds, rounds=rounds))
    sales = {case.name for case in chosen if case.sells}
    report.tables = [table(found, connections, sales) for connections in _CONNECTIONS]
    rates = {name: turn.per_s for (name, connections), turn in found.items() if connections == _CONNECTIONS[-1]}
    report.plots = [plots.bars("cost", f"requests/s, {_CONNECTIONS[-1]} connections", rates)]
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
