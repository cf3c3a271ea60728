"""`make bench-ceiling`: what one event costs its Redis, and whether web processes add up.

ARGS='PURCHASES ROUNDS'. Only CPU time is measured, so that a busy machine matters little.
"""

from gevent import monkey

monkey.patch_all(thread=False, queue=False, subprocess=False, signal=False, os=False)

import itertools  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402

import gevent  # noqa: E402

from bench import wrk  # noqa: E402
from bench.report import Measurement, Table  # noqa: E402
from bench.served import SETTINGS, Served, redis_cpu_s  # noqa: E402
from seating.domain import rate_policy  # noqa: E402
from seating.domain.idempotency import short_hash  # noqa: E402
from seating.domain.purchase import Order  # noqa: E402
from seating.redis_store.auto_pipeline import AutoPipeline  # noqa: E402
from seating.redis_store.calls import Scripts  # noqa: E402
from seating.redis_store.connection import ScriptConnection  # noqa: E402
from seating.redis_store.inventory import Inventory  # noqa: E402
from seating.redis_store.rate_limits import RateLimit  # noqa: E402
from tests.servers import RedisServer, wait_until  # noqa: E402

_AT_ONCE = 256
_PROCESSES = (1, 2, 4)
_ROUNDS_OF_PROCESSES = 14  # The least of nine still differs by a tenth from one run to the next.
_CONNECTIONS = 64
_LOAD_S = 4
_HALL = {"generate": {"sections": 100, "rows": 20, "seatsPerRow": 25}}
_TEXT = """CPU time of Redis's main thread for a purchase of one seat, by `INFO cpu`, while {at_once} greenlets buy at
once through one pipeline: {purchases:,} purchases a turn, medians of {rounds} turns, and the **least**, to which
whatever else the machine did has added least. Redis runs with `appendfsync always`, so that each batch waits for the
disk once. **With upkeep** also has what the worker and the cron ask of Redis until SQL has all. **Limited** purchases
ask the rate limit in the same script, as each request does. **SET**, the yardstick, is a plain command with a value of
400 bytes, sent and synced in the same way: on another machine, or on this one when it is busy with other things,
compare multiples of it."""
_TEXT_OF_PROCESSES = """All web processes are pinned to one of {cores} cores, with {connections} connections each, and
sell in general admission: what is compared is what a purchase costs them when more of them share the work, not what
more cores bring, for wrk, Redis and the workers need the others. **Web µs** is their CPU time a purchase, without
theirs: the median of {rounds} turns, and the **least**. **Per process** is what a process does for the least CPU time,
beside one alone."""
_TEXT_OF_PARTS = """What of it is there before anything is looked up: a script with as many keys and arguments as a
purchase's, sent by the thousand and not synced. Lua defines its functions anew in each call, and each function that
refers to others finds them by walking along all that were defined since. {rounds} turns, of which the least counts:
what else the machine did can only have added to it."""
_KEYS, _ARGUMENTS, _CALLS = 12, 17, 2000
_FIRST_LINE = "local field, fingerprint"

Run = Callable[[int], None]


class Pipelined:
    """Purchases as a web process sends them, without the process."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._calls = AutoPipeline(ScriptConnection(served.redis.url, Scripts()))
        self._inventory = Inventory(self._calls, backlog_max_entries=1_000_000, backlog_memory_percent=90)
        self._policy = rate_policy.parse(SETTINGS["RATE_LIMIT_SALE"])
        self._numbers = itertools.count()

    def purchases(self, event_id: str, *, limited: bool) -> Run:
        def buy(number: int) -> None:
            limit = RateLimit(self._policy, f"192.0.2.{number % 200}") if limited and self._policy else None
            key = short_hash("anonymous", f"{event_id}-{number}")
            self._inventory.purchase(event_id, "anonymous", key, Order(1), limit=limit)

        return self._many(buy)

    def sets(self) -> Run:
        return self._many(lambda number: self._calls.command("SET", f"yardstick-{number % 1000}", bytes(400)))

    def _many(self, act: Callable[[int], object]) -> Run:
        def run(count: int) -> None:
            left = iter(range(count))

            def go_on() -> None:
                for _ in left:
                    act(next(self._numbers))

            gevent.joinall([gevent.spawn(go_on) for _ in range(_AT_ONCE)], raise_error=True)

        return run

    def measure(self, run: Run, count: int) -> tuple[float, float, float]:
        """Redis's CPU µs for one of `count`, the same until SQL has all, and how many shared a write."""
        batches, calls, before = self._calls.batches, self._calls.calls, self._served.cpu().redis
        run(count)
        done = self._served.cpu().redis
        shared = (self._calls.calls - calls) / (self._calls.batches - batches)
        wait_until(lambda: self._served.lag() == 0, 120, "the lag to be zero")
        return (done - before) / count * 1e6, (self._served.cpu().redis - before) / count * 1e6, shared


def of_one_event(purchases: int, rounds: int) -> Table:
    with Served(WEB_WORKERS="1") as served:
        pipelined = Pipelined(served)
        free = served.create_event(totalSeats=5_000_000)
        hall, limited_hall = (served.create_event(seatingPlan=_HALL) for _ in range(2))  # Enough for all turns.
        cases = {
            "SET": pipelined.sets(),
            "general admission": pipelined.purchases(free, limited=False),
            "general admission, limited": pipelined.purchases(free, limited=True),
            "hall of 50,000 seats": pipelined.purchases(hall, limited=False),
            "hall of 50,000 seats, limited": pipelined.purchases(limited_hall, limited=True),
        }
        found: dict[str, list[tuple[float, float, float]]] = {}
        for run in cases.values():
            run(_AT_ONCE)  # What is loaded on first use is loaded.
        for _ in range(rounds):
            for name, run in cases.items():
                found.setdefault(name, []).append(pipelined.measure(run, purchases))
    rows, yardstick_us = [], median(turn[0] for turn in found["SET"])
    for name, turns in found.items():
        us, with_upkeep_us, shared = (median(column) for column in zip(*turns, strict=True))
        least_us, ratio = min(turn[0] for turn in turns), round(us / yardstick_us, 1)
        rows.append([name, round(least_us, 1), round(us, 1), round(with_upkeep_us, 1), ratio, round(shared)])
        print(rows[-1])
    columns = ["purchase", "least, µs", "Redis µs", "with upkeep", "/ SET", "calls a batch"]
    return Table(
        "One event's ceiling", _TEXT.format(at_once=_AT_ONCE, purchases=purchases, rounds=rounds), columns, rows
    )


def of_parts(rounds: int) -> Table:
    source = Scripts().sources["purchase"]
    definitions, found, _ = source.partition(f"\n{_FIRST_LINE}")
    assert found
    parts = {
        "a script that does nothing": "return 1",
        "with the functions of a purchase": f"{definitions}\nreturn 1",
        "with the name of the server": "local known = redis.call('INFO', 'replication') return 1",
        "with the link of an entry": "local link = redis.sha1hex(('x'):rep(450)) return 1",
    }
    with tempfile.TemporaryDirectory(prefix="seating-bench-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        client = server.client()
        digests = {name: client.script_load(text) for name, text in parts.items()}
        turns: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, digest in digests.items():
                asking = client.pipeline(transaction=False)
                for _ in range(_CALLS):
                    asking.evalsha(digest, _KEYS, *map(str, range(_KEYS + _ARGUMENTS)))
                before = redis_cpu_s(client)
                asking.execute()
                turns.setdefault(name, []).append((redis_cpu_s(client) - before) / _CALLS * 1e6)
        server.stop()
    rows = [[name, round(min(us), 1)] for name, us in turns.items()]
    print(rows)
    return Table("Before the first look-up", _TEXT_OF_PARTS.format(rounds=rounds), ["", "Redis µs"], rows)


def of_processes(rounds: int) -> Table:
    """All of them run at once and take turns, so that what else goes on meanwhile hits each alike."""
    cores = sorted(os.sched_getaffinity(0))
    turns: dict[int, list[float]] = {}
    served = {count: Served(WEB_WORKERS=str(count)) for count in _PROCESSES}
    for one in served.values():
        one.__enter__()
    try:
        for worker in itertools.chain.from_iterable(one.workers() for one in served.values()):
            worker.cpu_affinity(cores[-1:])
        for number in range(rounds + 1):
            for count, one in served.items():
                us = _web_us(one, count)
                if number:  # In the first round, what is loaded on first use is loaded.
                    turns.setdefault(count, []).append(us)
    finally:
        for one in served.values():
            one.__exit__()
    alone_us = min(turns[1])
    rows = [[count, round(median(us)), round(min(us)), round(alone_us / min(us), 2)] for count, us in turns.items()]
    print(rows)
    text = _TEXT_OF_PROCESSES.format(connections=_CONNECTIONS, cores=len(cores), rounds=rounds)
    return Table("Web processes", text, ["web processes", "web µs", "least, µs", "per process"], rows)


def _web_us(served: Served, processes: int) -> float:
    """Without what the processes do while nobody buys, which would count the more the slower the machine is."""
    paths = served.open_events(4, totalSeats=100_000)
    before = served.cpu().web
    time.sleep(_LOAD_S)
    idle_s, before = served.cpu().web - before, served.cpu().web
    load = wrk.run(served.port, _CONNECTIONS * processes, _LOAD_S, paths, '{"quantity":1}', keys=True)
    used_s = served.cpu().web - before - idle_s
    wait_until(lambda: served.lag() == 0, 120, "the lag to be zero")
    return used_s / load.requests * 1e6


def main(purchases: int = 4000, rounds: int = 9) -> None:
    report = Measurement("ceiling", "What one event's Redis bears", "make bench-ceiling", "")
    report.tables = [of_one_event(purchases, rounds), of_parts(15), of_processes(_ROUNDS_OF_PROCESSES)]
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
