"""The hold scripts on a real Redis, by a clock that the tests move."""

from collections.abc import Callable

import pytest

from seating.domain.change_json import parse_change
from seating.domain.changes import Extended, Held, Purchased, Released
from seating.domain.errors import (
    BacklogFull,
    EventNotFound,
    HoldExpired,
    IdempotencyKeyReused,
    InvalidRequest,
    NotOnSale,
    SeatHeld,
    SeatNotFound,
    SeatSold,
    SeatUnavailable,
    SoldOut,
    TooManyHeld,
)
from seating.domain.hold import hold_id
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.calls import Scripts
from seating.redis_store.holds import RELEASED_A_CALL, HoldStore
from seating.storage.tables import ledger, sold_seats
from tests import frozen_clock
from tests.frozen_clock import CLOCK, NOON_MS
from tests.one_process import HOLD_LIMITS, OPERATOR, OneProcess, on_sqlite

pytestmark = on_sqlite  # What is tested here is the same over each database.

HALL = generate(GeneratedPlan(sections=1, rows=2, seatsPerRow=5))
TTL_MS = HOLD_LIMITS.ttl_s * 1000
MAX_MS = HOLD_LIMITS.max_s * 1000


def row_a(*numbers: int) -> tuple[str, ...]:
    return tuple(f"sec-1-row-A-seat-{number}" for number in numbers)


def at(sale: OneProcess, since_noon_ms: int) -> None:
    sale.calls.command("SET", CLOCK, NOON_MS + since_noon_ms)


def log_of(sale: OneProcess, event: str) -> list[object]:
    entries = sale.calls.command("XRANGE", keys.log(event), "-", "+")
    return [parse_change(fields[1].decode()) for _, fields in entries]


@pytest.fixture
def event(moved: OneProcess) -> str:
    return moved.open(plan=HALL)


def test_held_seats_are_nobody_elses(moved: OneProcess, event: str) -> None:
    held = moved.hold(event, *row_a(2, 3))
    assert (held.seats, held.record.until_ms) == ([*row_a(2, 3)], NOON_MS + TTL_MS)
    with pytest.raises(SeatUnavailable) as refused:
        moved.buy_seats(event, "k", *row_a(3, 4))
    assert refused.value.facts == {"seats": [*row_a(3)]}
    with pytest.raises(SeatUnavailable):
        moved.hold(event, *row_a(1, 2))
    counts = moved.events.counts(event)
    assert (counts.held, counts.sold, counts.remaining) == (2, 0, 8)


def test_bought_from_a_hold(moved: OneProcess, event: str) -> None:
    held = moved.hold(event, *row_a(2, 4))
    receipt = moved.buy_held(event, "k", held.token)
    assert HALL.seats_of(receipt.runs) == [*row_a(2, 4)]
    assert receipt.left == 8
    counts = moved.events.counts(event)
    assert (counts.held, counts.sold) == (0, 2)
    assert moved.buy_held(event, "k", held.token) == receipt
    with pytest.raises(HoldExpired):
        moved.buy_held(event, "another", held.token)
    *_, bought = log_of(moved, event)
    assert isinstance(bought, Purchased)
    assert bought.hold == hold_id(held.token)


def test_of_a_quantity_without_a_plan(moved: OneProcess) -> None:
    event = moved.open(capacity=5)
    held = moved.hold(event, quantity=4)
    assert held.seats == []
    with pytest.raises(SoldOut):
        moved.buy(event, "k", 2)
    assert moved.buy_held(event, "k", held.token).quantity == 4
    with pytest.raises(SeatNotFound):
        moved.hold(event, "A1")
    with pytest.raises(SeatNotFound):
        moved.seats.set(event, "A1", "sold", OPERATOR)
    assert moved.statuses(event) == {}


class TestItsTime:
    def test_honoured_to_its_last_millisecond(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, *row_a(1))
        at(moved, TTL_MS - 1)
        with pytest.raises(SeatUnavailable):
            moved.buy_seats(event, "other", *row_a(1))
        assert moved.buy_held(event, "k", held.token).quantity == 1

    def test_refused_whole_from_then_on(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, *row_a(1))
        at(moved, TTL_MS)
        for late in (moved.holds.extend, moved.holds.release):
            with pytest.raises(HoldExpired):
                late(event, held.token)
        with pytest.raises(HoldExpired):
            moved.buy_held(event, "k", held.token)
        assert moved.now(event).counts.remaining == 10

    @pytest.mark.parametrize("how", ["chosen", "best", "hold", "organiser"])
    def test_due_ones_block_nobody(self, moved: OneProcess, event: str, how: str) -> None:
        """No sweep has run, and more are due than one call releases at first."""
        hall = generate(GeneratedPlan(sections=1, rows=10, seatsPerRow=50))
        event = moved.open(plan=hall)
        for number in range(500):
            at(moved, number)
            seat = f"sec-1-row-{'ABCDEFGHIJ'[number // 50]}-seat-{number % 50 + 1}"
            moved.hold(event, seat, holder=f"holder {number}")
        at(moved, TTL_MS + 499)
        last = "sec-1-row-J-seat-50"
        if how == "chosen":
            moved.buy_seats(event, "k", last)
        elif how == "best":
            moved.buy(event, "k", 10)
        elif how == "hold":
            moved.hold(event, last)
        else:
            moved.seats.set(event, last, "reserved", OPERATOR)
        released = [change for change in log_of(moved, event) if isinstance(change, Released)]
        assert all(change.expired for change in released)
        assert len(released) == (RELEASED_A_CALL if how == "best" else 500)

    def test_of_one_that_was_extended(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, *row_a(1))
        at(moved, 200_000)
        assert moved.holds.extend(event, held.token).record.until_ms == NOON_MS + 200_000 + TTL_MS
        at(moved, 799_999)
        assert moved.holds.extend(event, held.token).record.until_ms == NOON_MS + MAX_MS
        entries = len(log_of(moved, event))
        assert moved.holds.extend(event, held.token).record.until_ms == NOON_MS + MAX_MS
        assert len(log_of(moved, event)) == entries
        at(moved, MAX_MS - 1)
        assert moved.buy_held(event, "k", held.token).quantity == 1

    def test_counts_are_never_stale(self, moved: OneProcess, event: str) -> None:
        moved.hold(event, *row_a(1, 2))
        at(moved, TTL_MS)
        assert moved.events.counts(event).remaining == 10

    def test_releases_are_kept_when_the_request_is_refused(self, moved: OneProcess, event: str) -> None:
        moved.hold(event, *row_a(1))
        moved.seats.set(event, row_a(2)[0], "reserved", OPERATOR)
        at(moved, TTL_MS)
        with pytest.raises(SeatUnavailable):
            moved.buy_seats(event, "k", *row_a(1, 2))
        assert isinstance(log_of(moved, event)[-1], Released)
        assert moved.now(event).counts.held == 0


def test_without_the_guard_a_late_token_buys_what_another_has(redis_url: str, moved: OneProcess) -> None:
    """The twin: a script that does not look at the time sells the seats of a hold that is over."""
    guard, source = "tonumber(hold.until_ms) <= at", frozen_clock.scripts().sources["purchase"]
    assert guard in source
    event = moved.open(plan=HALL)
    held = moved.hold(event, *row_a(1))
    at(moved, TTL_MS)
    without = {"purchase": source.replace(guard, "false").replace("'-inf', at", "'-inf', 0")}
    reckless = OneProcess.build(redis_url, moved.database, Scripts({"clock": frozen_clock.CLOCK_LUA, **without}))
    assert reckless.buy_held(event, "k", held.token).quantity == 1


def test_given_back(moved: OneProcess, event: str) -> None:
    held = moved.hold(event, *row_a(1, 2))
    moved.holds.release(event, held.token)
    assert moved.now(event).counts.remaining == 10
    with pytest.raises(HoldExpired):
        moved.holds.release(event, held.token)
    last = log_of(moved, event)[-1]
    assert isinstance(last, Released)
    assert not last.expired


def test_one_entry_a_change(moved: OneProcess, event: str) -> None:
    held = moved.hold(event, *row_a(1))
    at(moved, 1000)
    moved.holds.extend(event, held.token)
    moved.buy_held(event, "k", held.token)
    assert [type(change) for change in log_of(moved, event)[2:]] == [Held, Extended, Purchased]


class TestKeys:
    def test_a_repetition_gets_the_same_token(self, moved: OneProcess, event: str) -> None:
        first, again = (moved.hold(event, *row_a(1, 2), key="k") for _ in range(2))
        assert (first.replayed, again.replayed) == (False, True)
        assert again._replace(replayed=False) == first
        assert first.token not in repr(moved.calls.command("HGETALL", keys.idempotency(event)))
        with pytest.raises(IdempotencyKeyReused):
            moved.hold(event, *row_a(3), key="k")
        with pytest.raises(IdempotencyKeyReused):
            moved.buy_seats(event, "k", *row_a(3))

    def test_without_one_each_is_new(self, moved: OneProcess, event: str) -> None:
        assert moved.hold(event, quantity=1).token != moved.hold(event, quantity=1).token

    def test_neither_log_nor_sql_nor_redis_knows_the_token(self, moved: OneProcess, event: str) -> None:
        tokens = [moved.hold(event, *row_a(1)).token, moved.hold(event, *row_a(2), key="the key").token]
        kept = repr([log_of(moved, event), moved.calls.command("HGETALL", keys.hold(event))])
        moved.persist(event)
        kept += repr([row.change for row in moved.rows(ledger, event)])
        for token in (*tokens, "the key"):
            assert token not in kept
        assert all(len(token) == 22 for token in tokens)


class TestBound:
    def test_of_each_holder(self, moved: OneProcess) -> None:
        event = moved.open(capacity=100)
        tokens = [moved.hold(event, quantity=10).token for _ in range(2)]
        with pytest.raises(TooManyHeld) as refused:
            moved.hold(event, quantity=1)
        assert refused.value.facts == {"seats_held": 20}
        assert moved.hold(event, quantity=1, holder="another address").seats == []
        moved.buy_held(event, "k", tokens[0])
        moved.hold(event, quantity=10)
        moved.holds.release(event, tokens[1])
        moved.hold(event, quantity=10)
        at(moved, TTL_MS)
        assert moved.hold(event, quantity=10).record.quantity == 10


class TestBacklog:
    def test_an_extension_adds_to_none_that_is_full(self, moved: OneProcess, event: str) -> None:
        """Or else one hold, extended each ms, would fill Redis while SQL is away."""
        token = moved.hold(event, *row_a(1)).token
        narrow = HoldStore(moved.calls, HOLD_LIMITS, backlog_max_entries=2, backlog_memory_percent=90)
        at(moved, 1000)
        assert narrow.extend(event, token).until_ms == NOON_MS + 1000 + TTL_MS
        at(moved, 2000)
        entries = len(log_of(moved, event))
        with pytest.raises(BacklogFull):
            narrow.extend(event, token)
        assert len(log_of(moved, event)) == entries
        moved.persist(event)
        assert narrow.extend(event, token).until_ms == NOON_MS + 2000 + TTL_MS

    def test_giving_back_goes_on(self, moved: OneProcess, event: str) -> None:
        token = moved.hold(event, *row_a(1)).token
        narrow = HoldStore(moved.calls, HOLD_LIMITS, backlog_max_entries=1, backlog_memory_percent=90)
        narrow.release(event, token)
        assert moved.now(event).counts.held == 0


class TestBadRequests:
    def test_change_nothing(self, moved: OneProcess, event: str) -> None:
        other = moved.open(plan=HALL)
        token = moved.hold(other, *row_a(1)).token
        before = log_of(moved, event)
        refused: list[tuple[type[Exception], Callable[[], object]]] = [
            (SeatNotFound, lambda: moved.hold(event, "sec-9-row-A-seat-1")),
            (SeatNotFound, lambda: moved.buy_seats(event, "k", *row_a(1), "")),
            (InvalidRequest, lambda: moved.buy_seats(event, "k", *row_a(1, 1))),
            (InvalidRequest, lambda: moved.hold(event, *row_a(1, 1))),
            (HoldExpired, lambda: moved.buy_held(event, "k", token)),
            (HoldExpired, lambda: moved.buy_held(event, "k", "")),
            (HoldExpired, lambda: moved.buy_held(event, "k", hold_id(token))),
            (HoldExpired, lambda: moved.holds.extend(event, token)),
            (HoldExpired, lambda: moved.holds.release(event, "x" * 255)),
            (EventNotFound, lambda: moved.hold("nowhere", "A1")),
            (EventNotFound, lambda: moved.hold("nowhere", quantity=1)),
            (EventNotFound, lambda: moved.holds.release("nowhere", token)),
        ]
        for error, ask in refused:
            with pytest.raises(error):
                ask()
        assert log_of(moved, event) == before
        assert moved.now(event).counts.remaining == 10

    def test_of_a_paused_sale(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, *row_a(1))
        moved.events.set_state(event, "paused", OPERATOR)
        for ask in (lambda: moved.hold(event, *row_a(2)), lambda: moved.buy_held(event, "k", held.token)):
            with pytest.raises(NotOnSale):
                ask()
        moved.holds.release(event, held.token)


class TestOrganiser:
    def test_sets_what_no_buyer_has(self, moved: OneProcess, event: str) -> None:
        for status in ("reserved", "sold", "held", "available", "sold"):
            assert moved.seats.set(event, row_a(1)[0], status, OPERATOR).status == status
            assert moved.statuses(event)[row_a(1)[0]] == status
        entries = len(log_of(moved, event))
        moved.seats.set(event, row_a(1)[0], "sold", OPERATOR)
        assert len(log_of(moved, event)) == entries
        counts = moved.events.counts(event)
        assert (counts.sold, counts.held, counts.blocked, counts.remaining) == (1, 0, 0, 9)

    def test_not_what_a_buyer_has(self, moved: OneProcess, event: str) -> None:
        moved.buy_seats(event, "k", *row_a(1))
        moved.hold(event, *row_a(2))
        with pytest.raises(SeatSold):
            moved.seats.set(event, row_a(1)[0], "available", OPERATOR)
        with pytest.raises(SeatHeld):
            moved.seats.set(event, row_a(2)[0], "reserved", OPERATOR)
        at(moved, TTL_MS)
        moved.seats.set(event, row_a(2)[0], "reserved", OPERATOR)

    def test_box_office_sales_are_on_record(self, moved: OneProcess, event: str) -> None:
        moved.seats.set(event, row_a(1)[0], "sold", OPERATOR)
        moved.seats.set(event, row_a(2)[0], "sold", OPERATOR)
        moved.seats.set(event, row_a(2)[0], "available", OPERATOR)
        moved.persist(event)
        assert [(row.seat_id, row.purchase_id) for row in moved.rows(sold_seats, event)] == [(row_a(1)[0], None)]
        assert moved.check.reconcile(event) == []


def test_who_had_a_seat(moved: OneProcess, event: str) -> None:
    seat = row_a(3)[0]
    moved.hold(event, seat)
    at(moved, TTL_MS)
    token = moved.hold(event, seat).token
    at(moved, TTL_MS + 1_000)
    moved.holds.extend(event, token)
    moved.holds.release(event, token)
    moved.persist(event)
    moved.seats.set(event, seat, "held", OPERATOR)
    moved.seats.set(event, seat, "available", OPERATOR)
    bought = moved.buy_held(event, "k", moved.hold(event, seat).token)
    told = [(change.what, change.purchase_id) for change in moved.check.history(event, seat)]
    assert told == [
        ("held", ""),
        ("not held any more", ""),
        ("held", ""),
        ("held for longer", ""),
        ("given back", ""),
        ("held by the organiser", ""),
        ("made available", ""),
        ("held", ""),
        ("sold", str(bought.id)),
    ]
