"""Which state of which event makes a system that cannot sell; and that it does not matter how many there are."""

import re
import time
from typing import Any

import pytest

from seating.redis_store import keys
from seating.services.open_sales import SAMPLE, EventState, KnownEvents, OpenSales
from seating.services.readiness import Readiness
from seating.storage import events
from seating.web.readiness_checks import checks
from tests.one_process import OPERATOR, OneProcess
from tests.readiness.conftest import Watch
from tests.servers import wait_until


def distrust(one: OneProcess, event: str) -> None:
    """As after a restart of Redis."""
    one.calls.command("HSET", keys.inventory(event), "server", "")


def archive(one: OneProcess, event: str) -> None:
    one.inventory.set_state(event, "closed", OPERATOR)
    one.persist(event)
    one.database.write(events.set_archived, event)
    assert one.inventory.archive(event, 0)


def first_report(readiness: Readiness) -> Any:
    """Of a look at the events that followed the first look at both stores."""
    wait_until(lambda: checks(readiness.report())["inventory"]["status"] != "unknown", what="a look at the events")
    return readiness.report()


def states(report: Any) -> dict[str, str]:
    return {event["eventId"]: event["status"] for event in checks(report)["events"]}


def test_no_event_is_open(watch: Watch) -> None:
    report = first_report(watch())
    assert report.ready
    assert checks(report)["inventory"] == {"eventId": "demo", "status": "not open"}
    assert checks(report)["events"] == []


def test_the_default_event_was_archived_and_another_sells(one: OneProcess, watch: Watch) -> None:
    default, other = one.open(9), one.open(9)
    archive(one, default)
    report = first_report(watch(default))
    assert report.ready
    assert checks(report)["inventory"] == {"eventId": default, "status": "not open"}
    assert states(report) == {other: "trusted"}


def test_all_events_are_closed_or_archived(one: OneProcess, watch: Watch) -> None:
    default, other = one.open(9), one.open(9)
    archive(one, default)
    one.inventory.set_state(other, "closed", OPERATOR)
    distrust(one, other)
    assert first_report(watch(default)).ready


def test_one_of_two_is_trusted(one: OneProcess, watch: Watch) -> None:
    trusted, other = one.open(9), one.open(9)
    distrust(one, other)
    report = first_report(watch(other))
    assert report.ready
    assert checks(report)["inventory"] == {"eventId": other, "status": "being compared with SQL", "lag": 0}
    assert states(report) == {trusted: "trusted", other: "being compared with SQL"}


def test_none_is_trusted(one: OneProcess, watch: Watch) -> None:
    event, other = one.open(9), one.open(9)
    readiness = watch(event)
    assert first_report(readiness).ready
    for one_of_them in (event, other):
        distrust(one, one_of_them)
    wait_until(lambda: not readiness.report().ready, what="the news")
    one.persist(other)
    wait_until(lambda: readiness.report().ready, what="the news that one can be sold from")
    assert states(readiness.report()) == {event: "being compared with SQL", other: "trusted"}


def test_redis_lost_them_all(one: OneProcess, watch: Watch) -> None:
    """SQL knows that they should be there: nothing can be sold, though Redis has no event that says so."""
    event = one.open(9)
    one.calls.command("FLUSHALL")
    readiness = watch("demo")
    report = first_report(readiness)
    assert not report.ready
    assert states(report) == {event: "missing"}


def test_it_is_merged_first(one: OneProcess, watch: Watch) -> None:
    event = one.open(9)
    one.calls.command("HSET", keys.inventory(event), "stopped", "SQL lacks what it had acknowledged")
    reason = checks(first_report(watch(event)))["inventory"]["reason"]
    assert reason == f"SQL lacks what it had acknowledged: run seating merge {event}"


@pytest.fixture
def many(one: OneProcess) -> tuple[list[str], list[str]]:
    """One event that can be sold from, and five thousand that cannot: half of them archived, half not trusted."""
    sold = one.open(9)
    fields: Any = one.calls.command("HGETALL", keys.inventory(sold))
    fields[fields.index(b"server") + 1] = b""
    untrusted, archived = ([f"{kind}-{number:04}" for number in range(2500)] for kind in ("bare", "arch"))
    for first in range(0, 2500, 100):
        one.calls.commands([("HSET", keys.inventory(event), *fields) for event in untrusted[first : first + 100]])
        one.calls.commands(
            [("HSET", keys.inventory(event), "archived", "1") for event in archived[first : first + 100]]
        )
    return [sold, *untrusted], archived


def test_of_thousands_a_few_are_looked_at_together(one: OneProcess, many: tuple[list[str], list[str]]) -> None:
    """Those that sell are found in their turn, and then looked at every time."""
    open_ones, archived = many
    sold = open_ones[0]
    sales = OpenSales(one.inventory, "demo", lambda: KnownEvents([*open_ones, *archived], frozenset()))
    looks = 0
    while not (sight := sales.look()).sells:
        looks += 1
        assert len(sight.events) <= SAMPLE
        assert looks < 5001 / (SAMPLE - 1 - SAMPLE // 4) + 2
    for _ in range(20):
        sight = sales.look()
        assert sight.events[0].event_id == "demo"
        assert [seen.event_id for seen in sight.events if seen.state is EventState.TRUSTED] == [sold]
        assert sight.sells
    distrust(one, sold)
    assert not sales.look().sells


def test_a_few_archived_ones_do_not_mean_that_none_is_open(one: OneProcess, many: tuple[list[str], list[str]]) -> None:
    """Only after all had their turn."""
    _, archived = many
    sales = OpenSales(one.inventory, "demo", lambda: KnownEvents(archived, frozenset()))
    assert not sales.look().sells
    for _ in range(len(archived) // (SAMPLE - 1)):
        sight = sales.look()
    assert not sight.sells or sight.all_seen
    assert sales.look().sells


def test_those_who_ask_cost_no_look(one: OneProcess, watch: Watch) -> None:
    """However many they are."""
    readiness = watch(one.open(9))
    first_report(readiness)
    before = looks_in_redis(one)
    begun = time.monotonic()
    for _ in range(2000):
        readiness.report()
    assert time.monotonic() - begun < 1
    assert looks_in_redis(one) - before < 20


def looks_in_redis(one: OneProcess) -> int:
    found = re.search(rb"cmdstat_evalsha:calls=(\d+)", one.calls.command("INFO", "commandstats"))
    return int(found[1]) if found else 0
