"""While no cron releases holds, what is read counts those that are due as free, and writes nothing."""

from seating.domain.event import EventFilter
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from tests.frozen_clock import CLOCK, NOON_MS
from tests.one_process import HOLD_LIMITS, OPERATOR, OneProcess, on_sqlite

pytestmark = on_sqlite  # Holds are in Redis alone.

HALL = SeatingPlan([[["A1", "A2", "A3"], ["B1", "B2"]], [["C1", "C2"]]])


def remaining(sale: OneProcess, event: str) -> set[int]:
    """By everything that tells it."""
    listed = {found.event.id: found.counts for found in sale.events.page(None, 100, EventFilter()).items}[event]
    one = sale.events.get(event).counts
    assert listed
    assert one
    return {
        listed.remaining,
        one.remaining,
        sale.events.counts(event).remaining,
        sale.seat_maps.of(event).remaining,
    }


def let_lapse(sale: OneProcess) -> None:
    sale.calls.command("SET", CLOCK, NOON_MS + HOLD_LIMITS.ttl_s * 1000)


def test_in_general_admission(moved: OneProcess) -> None:
    event = moved.open(capacity=5)
    moved.hold(event, quantity=2)
    moved.hold(event, quantity=3)
    assert remaining(moved, event) == {0}
    let_lapse(moved)
    before = moved.calls.command("XLEN", keys.log(event))
    assert remaining(moved, event) == {5}
    assert moved.calls.command("XLEN", keys.log(event)) == before
    assert moved.buy(event, "k", 4).quantity == 4
    assert remaining(moved, event) == {1}


def test_in_a_hall(moved: OneProcess) -> None:
    event = moved.open(plan=HALL)
    moved.hold(event, "A2", "A3", "C1")
    moved.seats.set(event, "B1", "held", OPERATOR)
    assert (moved.seat_maps.of(event).seats, remaining(moved, event)) == ("ahhhaha", {3})
    tagged = moved.seat_maps.of(event)
    let_lapse(moved)
    found = moved.seat_maps.of(event)
    assert (found.seats, remaining(moved, event)) == ("aaahaaa", {6})
    assert [status[0] for status in moved.statuses(event).values()] == list("aaahaaa")
    # At the same position the map has changed: only `lapsed` says so.
    assert (found.since, found.lapsed) == (tagged.since, tagged.lapsed + 3)
    assert moved.buy_seats(event, "k", "A2").quantity == 1
    assert moved.seat_maps.of(event).seats == "asahaaa"
