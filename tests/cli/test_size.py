"""What `seating size` says, and that its model tells of a run on this machine what that run takes."""

import json
import os
import random
import uuid
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from bench import costs, footprint
from seating.cli.main import seating
from seating.domain import sizing
from seating.domain.errors import InvalidRequest
from seating.domain.purchase import Order
from seating.domain.seating_plan import DEMO_HALL, generate
from seating.domain.sizing import Costs, PlannedSale
from tests.one_process import OneProcess
from tests.system import System

WITHIN = 0.2


def amounts(*words: str) -> dict[str, float]:
    done = CliRunner().invoke(seating, ["size", "--json", *words])
    assert done.exit_code == 0, done.output
    return {need["what"]: need["amount"] for need in json.loads(done.output)["needs"]}


def test_the_table_names_what_limits_the_sale() -> None:
    words = ["size", "--events", "1", "--seats", "50000", "--visitors", "200000", "--watching", "0"]
    lines = CliRunner().invoke(seating, words).output.splitlines()
    assert lines[0].split()[:2] == ["what", "needs"]
    assert lines[-1].startswith("Bottleneck: Web processes, for 1,000 visits and attempts to buy a second;")
    lines = CliRunner().invoke(seating, [*words, "--minutes", "0.5"]).output.splitlines()
    assert lines[-1].startswith("Bottleneck: One event's Redis: 20,000 try to buy in a second, and it serves ")


def test_what_is_asked_for_more_needs_more() -> None:
    sale = ["--events", "4", "--seats", "200000", "--visitors", "1000000"]
    few, many = amounts(*sale, "--watching", "0"), amounts(*sale, "--watching", "1")
    assert many["web processes"] > few["web processes"]
    assert many["bandwidth"] > 10 * few["bandwidth"]
    slow = amounts(*sale, "--watching", "0", "--minutes", "100")
    assert slow["web processes"] < few["web processes"]
    assert slow["Redis maxmemory of a node"] * slow["Redis nodes"] == pytest.approx(
        few["Redis maxmemory of a node"] * few["Redis nodes"]
    )


def test_a_sale_without_seats_is_refused() -> None:
    done = CliRunner().invoke(seating, ["size", "--events", "10", "--seats", "9", "--visitors", "5"])
    assert isinstance(done.exception, InvalidRequest)


class Meter:
    """CPU time so far of the web processes and of Redis, in s; the kernel's own count, to the nanosecond."""

    def __init__(self, system: System) -> None:
        web = psutil.Process(system.parts["web"].process.pid).children()
        redis = int(system.redis.client().info("server")["process_id"])
        self._processes = [[process.pid for process in web], [redis]]

    def read(self) -> list[float]:
        return [sum(map(_cpu_s, pids)) for pids in self._processes]


def _cpu_s(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not count CPU time so")
@pytest.mark.skipif("SEATING_MODEL_CPU" not in os.environ, reason="make model, on a machine that does nothing else")
@pytest.mark.timeout(900)
def test_the_model_tells_the_cpu_time_of_a_run(system: System) -> None:
    """From purchases alone and reads alone to visits of both kinds.

    One request at a time, in a random order, so that whatever else the machine does adds to all alike; it takes longer
    to even out where that is much. Only the web processes' time is compared: of Redis's, most is upkeep at this pace.
    """
    event, meter = system.create_event(totalSeats=100_000), Meter(system)
    spent = {name: [0.0] * 2 for name in ("purchase", "read", "visit")}

    def buy() -> None:
        assert system.buy(1, str(uuid.uuid4()), event).status == 200

    def read() -> None:
        assert system.get(f"/api/v1/events/{event}").status == 200

    def visit() -> None:
        for _ in range(sizing.READS_OF_VISIT):
            read()
        buy()

    def foretold(visits: int) -> sizing.Load:
        (web_p, redis_p), (web_r, redis_r) = ([each * 1e6 / visits for each in spent[n]] for n in ("purchase", "read"))
        costs_here = {
            "web_us_purchase": web_p,
            "web_us_read": web_r / sizing.READS_OF_VISIT,
            "redis_us_purchase": redis_p,
            "redis_us_read": redis_r / sizing.READS_OF_VISIT,
        }
        # All of them in one second, for one event.
        sale = PlannedSale(1, 100_000, visits, 1 / 60, seated=False, peak=1.0, watching=0.0)
        return sizing.load(sale, Costs(**costs.figures() | costs_here))

    for act in (buy, read) * 20:
        act()
    acts = [("purchase", buy), *[("read", read)] * sizing.READS_OF_VISIT, ("visit", visit)]
    shuffled = random.Random(18)
    for visits in range(1, 601):
        shuffled.shuffle(acts)
        for name, act in acts:
            before = meter.read()
            act()
            spent[name] = [had + now - was for had, now, was in zip(spent[name], meter.read(), before, strict=True)]
        told = foretold(visits)
        if visits >= 80 and told.requests == pytest.approx(spent["visit"][0], rel=WITHIN):
            return
    pytest.fail(f"{told} was foretold, and it was {spent['visit']}")


def test_the_bytes_are_those_of_the_figures(system: System) -> None:
    found, told = footprint.measure(system, 1000, lambda: 0), costs.measured()
    pairs = {
        "a seat in Redis": (found.seat_in_redis, told.redis_bytes_seat),
        "a purchase in Redis": (found.purchase_in_redis, told.redis_bytes_purchase),
        "a purchase in Redis's file": (found.purchase_in_file, told.aof_bytes_purchase),
        "a visit": (found.visit, told.wire_bytes_visit),
        "a purchase on the wire": (found.purchase, told.wire_bytes_purchase),
        "a live message": (found.message, told.wire_bytes_message),
    }
    for name, (here, there) in pairs.items():
        assert here == pytest.approx(there, rel=WITHIN), name


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_the_bytes_in_postgres_are_those_of_the_figures(sale: OneProcess) -> None:
    """Beyond the first pages of tables and indexes."""
    event, sizes = sale.open(plan=generate(DEMO_HALL)), []
    for first, last in ((0, 300), (300, 1300)):
        for number in range(first, last):
            sale.order(event, f"key-{number}", Order(2), "anonymous")
        sale.persist(event)
        sizes.append(footprint.database_bytes(sale.database.url))
    assert (sizes[1] - sizes[0]) / 1000 == pytest.approx(costs.measured().sql_bytes_purchase, rel=WITHIN)
