"""Holds as carts: read, changed in one step, and found again by their idempotency key for as long as that is true."""

from typing import Any

import pytest

from seating.domain.change_json import parse_change
from seating.domain.changes import HoldChanged
from seating.domain.errors import (
    HoldExpired,
    IdempotencyKeyReused,
    InvalidRequest,
    NotOnSale,
    OutcomeUnknown,
    RateLimited,
    SeatNotFound,
    SeatUnavailable,
    TooManyHeld,
)
from seating.domain.hold import HoldOutcomeUnknown, hold_id, pack_notes, sealed, unpack_notes
from seating.domain.idempotency import short_hash
from seating.domain.purchase import Order
from seating.domain.rate_policy import parse
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.rate_limits import RateLimit
from seating.services.holds import HeldSeats
from tests import frozen_clock
from tests.frozen_clock import CLOCK, NOON_MS
from tests.one_process import HOLD_LIMITS, OPERATOR, OneProcess
from tests.redis_store.conftest import proxy
from tests.redis_store.tcp_proxy import Fault, TcpProxy

__all__ = ["proxy"]

HALL = generate(GeneratedPlan(sections=2, rows=2, seatsPerRow=8))
TTL_MS, MAX_MS = HOLD_LIMITS.ttl_s * 1000, HOLD_LIMITS.max_s * 1000


def row_a(*numbers: int) -> list[str]:
    return [f"sec-1-row-A-seat-{number}" for number in numbers]


def at(sale: OneProcess, since_noon_ms: int) -> None:
    sale.calls.command("SET", CLOCK, NOON_MS + since_noon_ms)


def kept(sale: OneProcess, event: str) -> dict[str, list[Any]]:
    """All that Redis has of holds and keys."""
    names = ("hold", "holders", "idempotency", "notes")
    return {name: sale.calls.command("HGETALL", getattr(keys, name)(event)) for name in names}


def lost_and_rebuilt(sale: OneProcess, event: str) -> None:
    clock = sale.calls.command("GET", CLOCK)
    sale.persist(event)
    sale.calls.command("FLUSHALL")
    sale.calls.command("SET", CLOCK, clock)
    sale.persist(event)
    assert sale.check.reconcile(event) == []


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is tested here is the same over each database."""
    return sqlite_url


@pytest.fixture
def event(moved: OneProcess) -> str:
    return moved.open(plan=HALL)


def test_read_as_it_is_now(moved: OneProcess, event: str) -> None:
    held = moved.hold(event, *row_a(1, 2))
    at(moved, 1_500)
    found = moved.holds.get(event, held.token)
    assert (found.seats, found.record.until_ms, found.record.left_ms) == (row_a(1, 2), NOON_MS + TTL_MS, TTL_MS - 1_500)
    at(moved, TTL_MS)
    for token in (held.token, hold_id(held.token), "unknown"):
        with pytest.raises(HoldExpired):
            moved.holds.get(event, token)


class TestChange:
    def test_takes_in_and_gives_back_in_one_step(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, *row_a(2, 3, 4))
        at(moved, 5_000)
        changed = moved.holds.change(event, held.token, [*row_a(5), "sec-2-row-B-seat-1"], row_a(3))
        assert changed.seats == [*row_a(2, 4, 5), "sec-2-row-B-seat-1"]
        assert changed.record.until_ms == NOON_MS + TTL_MS, "a change does not extend"
        assert moved.now(event).counts.held == 4
        last = parse_change(moved.calls.command("XREVRANGE", keys.log(event), "+", "-")[0][1][1].decode())
        assert isinstance(last, HoldChanged)
        assert (HALL.seats_of(last.removed), last.left) == (row_a(3), HALL.capacity - 4)
        assert moved.buy_seats(event, "k1", *row_a(3)).quantity == 1
        assert moved.buy_held(event, "k2", held.token).quantity == 4
        lost_and_rebuilt(moved, event)

    def test_repeated_changes_nothing(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, *row_a(1, 2))
        first, again = (moved.holds.change(event, held.token, row_a(3), row_a(1)) for _ in range(2))
        assert first == again
        assert first.seats == row_a(2, 3)

    def test_is_all_or_nothing(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, *row_a(1, 2))
        moved.buy_seats(event, "k", *row_a(4))
        before = kept(moved, event), moved.calls.command("XLEN", keys.log(event))
        refusals: list[tuple[type[Exception], list[str], list[str]]] = [
            (SeatUnavailable, row_a(3, 4), row_a(1)),
            (SeatNotFound, ["nowhere"], row_a(1)),
            (SeatNotFound, row_a(3), ["nowhere"]),
            (InvalidRequest, [], row_a(1, 2)),
            (InvalidRequest, [f"sec-2-row-A-seat-{number}" for number in range(1, 9)] + row_a(3), []),
        ]
        for error, add, remove in refusals:
            with pytest.raises(error):
                moved.holds.change(event, held.token, add, remove)
        moved.events.set_state(event, "paused", OPERATOR)
        with pytest.raises(NotOnSale):
            moved.holds.change(event, held.token, row_a(3), [])
        assert (kept(moved, event), moved.calls.command("XLEN", keys.log(event)) - 1) == before
        assert moved.holds.change(event, held.token, [], row_a(1)).seats == row_a(2), "giving back goes on"

    def test_of_one_that_is_over(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, *row_a(1))
        at(moved, TTL_MS)
        with pytest.raises(HoldExpired):
            moved.holds.change(event, held.token, row_a(2), [])

    def test_takes_in_what_other_holds_have_no_more(self, moved: OneProcess, event: str) -> None:
        moved.hold(event, *row_a(1))
        at(moved, TTL_MS - 1)
        held = moved.hold(event, *row_a(2))
        with pytest.raises(SeatUnavailable):
            moved.holds.change(event, held.token, row_a(1), [])
        at(moved, TTL_MS)
        assert moved.holds.change(event, held.token, row_a(1), []).seats == row_a(1, 2)

    def test_counts_for_its_holder(self, moved: OneProcess, event: str) -> None:
        held = [moved.hold(event, quantity=quantity).token for quantity in (10, 5)]
        token = moved.hold(event, quantity=4).token
        free = [seat for seat, status in moved.statuses(event).items() if status == "available"]
        with pytest.raises(TooManyHeld):
            moved.holds.change(event, token, free[:2], [])
        seats = moved.holds.get(event, token).seats
        assert moved.holds.change(event, token, free[:2], seats[:2]).record.quantity == 4
        moved.holds.release(event, held[0])
        assert moved.holds.change(event, token, free[:6], []).record.quantity == 8
        assert moved.check.reconcile(event) == []

    def test_is_told_of_each_seat(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, *row_a(1))
        moved.holds.change(event, held.token, row_a(2), row_a(1))
        at(moved, 1_000)
        moved.holds.extend(event, held.token)
        told = {seat: [entry.what for entry in moved.check.history(event, seat)] for seat in row_a(1, 2)}
        assert told == {row_a(1)[0]: ["held", "given back"], row_a(2)[0]: ["held", "held for longer"]}


class TestStep:
    def test_a_smaller_one_is_not_made(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, *row_a(1))
        entries = moved.calls.command("XLEN", keys.log(event))
        for ms in range(0, 1_000, 50):
            at(moved, ms)
            assert moved.holds.extend(event, held.token).record.until_ms == NOON_MS + TTL_MS
        assert moved.calls.command("XLEN", keys.log(event)) == entries
        at(moved, 1_000)
        assert moved.holds.extend(event, held.token).record.until_ms == NOON_MS + TTL_MS + 1_000


class TestKey:
    def hold(self, sale: OneProcess, event: str, *seats: int) -> HeldSeats:
        return sale.hold(event, *row_a(*seats), key="k")

    def test_tells_the_hold_as_it_is_now(self, moved: OneProcess, event: str) -> None:
        first = self.hold(moved, event, 1, 2)
        at(moved, 10_000)
        moved.holds.extend(event, first.token)
        moved.holds.change(event, first.token, row_a(3), row_a(1))
        for _ in range(2):
            again = self.hold(moved, event, 1, 2)
            assert (again.token, again.replayed, again.seats) == (first.token, True, row_a(2, 3))
            assert (again.record.until_ms, again.record.left_ms) == (NOON_MS + 10_000 + TTL_MS, TTL_MS)
            lost_and_rebuilt(moved, event)

    @pytest.mark.parametrize("how", ["lapsed", "lapsed and swept", "given back", "bought"])
    def test_is_refused_when_the_hold_has_ended_and_makes_a_new_one_later(
        self, moved: OneProcess, event: str, how: str
    ) -> None:
        first = self.hold(moved, event, 1)
        ended = TTL_MS if how.startswith("lapsed") else 5_000
        at(moved, ended)
        if how == "lapsed and swept":
            moved.holds.store.expire(event)
        elif how == "given back":
            moved.holds.release(event, first.token)
        elif how == "bought":
            moved.buy_held(event, "another", first.token)
        for since_ms in (0, 1, MAX_MS - 1):
            at(moved, ended + since_ms)
            for seats in ((1,), (2,)):
                with pytest.raises(HoldExpired):
                    self.hold(moved, event, *seats)
            with pytest.raises(IdempotencyKeyReused, match="already used for a hold"):
                moved.buy_seats(event, "k", *row_a(3))
            moved.holds.store.expire(event)
            lost_and_rebuilt(moved, event)
        at(moved, ended + MAX_MS)
        second = self.hold(moved, event, 2)
        assert not second.replayed
        assert second.token != first.token
        assert self.hold(moved, event, 2).token == second.token
        moved.holds.release(event, second.token)
        with pytest.raises(HoldExpired):
            self.hold(moved, event, 2)
        at(moved, ended + MAX_MS + MAX_MS)
        assert moved.buy_seats(event, "k", *row_a(3)).quantity == 1

    def test_used_for_a_hold_and_a_purchase(self, moved: OneProcess, event: str) -> None:
        self.hold(moved, event, 1)
        with pytest.raises(IdempotencyKeyReused, match="already used for a hold"):
            moved.buy_seats(event, "k", *row_a(2))
        with pytest.raises(IdempotencyKeyReused, match="already used for a hold"):
            self.hold(moved, event, 2)
        moved.buy_seats(event, "bought", *row_a(3))
        with pytest.raises(IdempotencyKeyReused, match="already used for a purchase"):
            moved.buy_seats(event, "bought", *row_a(4))
        with pytest.raises(IdempotencyKeyReused, match="already used for a purchase"):
            moved.hold(event, *row_a(4), key="bought")

    def test_has_the_same_fingerprint_in_every_version(self) -> None:
        """The log keeps it: with another text a repetition would be refused after an upgrade."""
        assert Order(2).hold_fingerprint() == "5o7OP1TqLKLX3IM7j45HMw"
        wished = Order(2, together=True, seats=("b", "a"), category="A", mix=True)
        assert wished.hold_fingerprint() == "_2vBMuDcMFKXQlSjKwdB4Q"

    def test_of_a_version_that_kept_records_for_ever(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, *row_a(1))
        field = short_hash("anonymous", "k")
        order = Order(1, seats=tuple(row_a(1)))
        record = f"1|{order.hold_fingerprint()}|1-3|{NOON_MS}|1|0:0-1"
        moved.calls.command("HSET", keys.idempotency(event), field, record)
        ((hold, text),) = [moved.calls.command("HGETALL", keys.hold(event))]
        old = text.decode().rpartition("|")[0] + "|" + text.decode().rpartition(";")[2].partition(":")[0]
        moved.calls.command("HSET", keys.hold(event), hold, old)
        with pytest.raises(HoldExpired):
            self.hold(moved, event, 1)
        with pytest.raises(IdempotencyKeyReused, match="already used for a hold"):
            moved.buy_seats(event, "k", *row_a(2))
        moved.holds.release(event, held.token)
        assert kept(moved, event)["holders"] == []

    @pytest.mark.parametrize(("key", "refusal"), [("k", OutcomeUnknown), (None, HoldOutcomeUnknown)])
    def test_makes_an_unknown_outcome_known(
        self, moved: OneProcess, event: str, proxy: TcpProxy, key: str | None, refusal: type[OutcomeUnknown]
    ) -> None:
        """A hold that was made without one is nobody's: what is repeated holds other seats."""
        cut = OneProcess.build(proxy.url, moved.database, frozen_clock.scripts())
        proxy.strike(Order(2).hold_fingerprint().encode(), Fault.DROP_REPLY)
        with pytest.raises(OutcomeUnknown) as unknown:
            cut.hold(event, quantity=2, key=key)
        assert type(unknown.value) is refusal
        assert moved.now(event).counts.held == 2
        repeated = moved.hold(event, quantity=2, key=key)
        assert (repeated.replayed, moved.now(event).counts.held) == ((True, 2) if key else (False, 4))
        assert (unknown.value.retry_after_s is None) == (key is None)
        at(moved, TTL_MS)
        assert moved.events.counts(event).remaining == HALL.capacity

    def test_two_keys_never_share_a_pad(self) -> None:
        token = "q0Vd3mXK8sWcGx1bT5yZ2g"
        text = sealed(token, "hold", "event", "caller", "key")
        assert (len(text), sealed(text, "hold", "event", "caller", "key")) == (22, token)
        others = {sealed(token, *("x" if n == i else name for n, name in enumerate("abcd"))) for i in range(4)}
        assert len(others | {text, token}) == 6


def test_notes_take_little_and_go(moved: OneProcess, event: str) -> None:
    before = {key: moved.calls.command("DUMP", key) for key in (keys.seats(event), keys.longest_runs(event))}
    for number in range(3_000):
        moved.holds.release(event, moved.hold(event, *row_a(1), key=f"key {number}").token)
    assert moved.calls.command("MEMORY", "USAGE", keys.notes(event), "SAMPLES", 0) <= 48 * 3_000
    assert kept(moved, event)["idempotency"] == []
    for ms in range(MAX_MS, MAX_MS + 2_000, 1_000):
        at(moved, ms)
        moved.holds.store.sweep_notes([event])
    assert kept(moved, event) == {"hold": [], "holders": [], "idempotency": [], "notes": []}
    assert {key: moved.calls.command("DUMP", key) for key in before} == before


def test_notes_are_packed_as_the_script_does(moved: OneProcess, event: str) -> None:
    for number in range(300):
        at(moved, number)
        moved.holds.release(event, moved.hold(event, *row_a(1), key=f"key {number}").token)
    found = kept(moved, event)["notes"]
    packed = {first.decode(): notes.decode() for first, notes in zip(found[::2], found[1::2], strict=True)}
    notes = unpack_notes(packed)
    assert notes[short_hash("anonymous", "key 7")] == NOON_MS + 7 + MAX_MS
    assert pack_notes(notes) == packed


@pytest.mark.parametrize("garbage", ["garbage", "", "1", "x" * 35, "9" * 80])
def test_notes_that_cannot_be_read_are_dropped(moved: OneProcess, event: str, garbage: str) -> None:
    first = short_hash("anonymous", "k")[0]
    moved.calls.command("HSET", keys.notes(event), first, garbage)
    held = moved.hold(event, *row_a(1), key="k")
    moved.check.reconcile(event)
    moved.holds.store.sweep_notes([event])
    moved.holds.release(event, held.token)
    with pytest.raises(HoldExpired):
        moved.hold(event, *row_a(1), key="k")


class TestLimit:
    @pytest.fixture
    def limit(self) -> RateLimit:
        policy = parse("3/10s")
        assert policy
        return RateLimit(policy, "192.0.2.1")

    def test_is_asked_by_holds_and_changes(self, moved: OneProcess, event: str, limit: RateLimit) -> None:
        def hold(key: str) -> HeldSeats:
            order = Order(1, seats=tuple(row_a(1)))
            return moved.holds.hold(event, "anonymous", "address", key, order, limit=limit)

        held = hold("k")
        assert held.verdict
        assert held.verdict.left[0].requests == 2
        assert hold("k").verdict is None, "a repetition is not measured"
        with pytest.raises(SeatUnavailable) as unavailable:
            hold("another")
        assert unavailable.value.verdict
        changed = moved.holds.change(event, held.token, row_a(2), [], limit)
        assert changed.verdict
        assert changed.verdict.left[0].requests == 0
        for ask in (lambda: hold("third"), lambda: moved.holds.change(event, held.token, row_a(3), [], limit)):
            with pytest.raises(RateLimited):
                ask()
        assert moved.holds.get(event, held.token).seats == row_a(1, 2)
        moved.purchases.buy(event, "anonymous", "bought", Order(1), limit=limit)
        at(moved, 10_000)
        assert moved.holds.change(event, held.token, row_a(3), [], limit).record.quantity == 3


class TestBuyer:
    def hold(self, sale: OneProcess, event: str, quantity: int, buyer: str | None, shop: str = "shop") -> HeldSeats:
        return sale.holds.hold(event, shop, shop, None, Order(quantity, buyer=buyer), is_shop=True)

    def test_of_a_shop_has_a_bound_within_the_shops(self, moved: OneProcess) -> None:
        event = moved.open(capacity=500)
        tokens = [self.hold(moved, event, quantity, "A").token for quantity in (10, 2)]
        with pytest.raises(TooManyHeld) as refused:
            self.hold(moved, event, 1, "A")
        assert refused.value.facts == {"seats_held": 12}
        self.hold(moved, event, 10, "A", "another shop")
        moved.holds.release(event, tokens[1])
        self.hold(moved, event, 2, "A")
        for buyer in ("B", "C", "D", "E"):
            self.hold(moved, event, 10, buyer)
        self.hold(moved, event, 8, None)
        with pytest.raises(TooManyHeld) as refused:
            self.hold(moved, event, 1, "F")
        assert refused.value.facts == {"seats_held": 60}
        assert moved.check.reconcile(event) == []
        at(moved, TTL_MS)
        moved.holds.store.expire(event)
        assert kept(moved, event)["holders"] == []

    def test_is_not_part_of_what_a_key_was_used_for(self, moved: OneProcess, event: str) -> None:
        """The log keeps that for good, and may not know who the buyer is."""
        first, second = (
            moved.holds.hold(event, "shop", "shop", "k", Order(1, buyer=buyer), is_shop=True) for buyer in "AB"
        )
        assert (second.replayed, second.token) == (True, first.token)
