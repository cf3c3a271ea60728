"""`make bench`: what a request costs, beside a bare Flask route on the same server, in one run.

ARGS='SECONDS ROUNDS'. What is compared takes turns; figures are the medians of the rounds.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from bench import wrk
from bench.served import Served
from tests.servers import wait_until

_CONNECTIONS = (64, 256)
_BODY = '{"quantity":1}'


class Case(NamedTuple):
    """`paths` opens what the requests need, freshly for each round."""

    name: str
    served: Served
    paths: Callable[[], list[str]]
    body: str = _BODY
    sells: bool = False


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


def cases(bare: Served, product: Served) -> list[Case]:
    def hall(seats: int) -> Callable[[], list[str]]:
        plan = {"generate": {"sections": seats // 500, "rows": 20, "seatsPerRow": 25}}
        return lambda: product.open_events(max(2, 50_000 // seats), seatingPlan=plan)

    def only(path: str) -> Callable[[], list[str]]:
        return lambda: [path]

    return [
        Case("a: bare Flask route", bare, only("/bare")),
        Case("a': the same, framed and limited", product, only("/limited")),
        Case("framed, not limited", product, only("/framed")),
        Case("b: purchase, general admission", product, lambda: product.open_events(4, totalSeats=100_000), sells=True),
        Case("b': purchase of 5,000 seats", product, hall(5_000), sells=True),
        Case("b': purchase of 50,000 seats", product, hall(50_000), sells=True),
        Case("c: GET /api/v1/event", product, only("/api/v1/event"), body=""),
        Case("d: GET /users/1, cached", product, only("/users/1"), body=""),
    ]


def take(case: Case, connections: int, seconds: int) -> Turn:
    served = case.served
    paths = case.paths()
    cpu, batches = served.cpu(), served.batches()
    load = wrk.run(served.port, connections, seconds, paths, case.body, keys=case.sells)
    lag, ended = served.lag(), time.monotonic()
    wait_until(lambda: served.lag() == 0, 60, "the lag to be zero")
    drained_s = time.monotonic() - ended
    used = [(after - before) * 1e6 / load.requests for before, after in zip(cpu, served.cpu(), strict=True)]
    writes, calls = (after - before for before, after in zip(batches, served.batches(), strict=True))
    return Turn(
        load.per_s,
        load.p50_ms,
        load.p99_ms,
        web_us=used[0],
        redis_us=used[2],
        worker_us=used[1],
        batch=calls / writes if writes else 0,
        recorded=1 - lag / load.requests if case.sells else 1,
        drained_s=drained_s if case.sells else 0,
    )
