"""Values in Redis that none of our scripts has written: each is put aside or replaced, and the sale goes on."""

import pytest

from seating.domain import rate_policy
from seating.domain.errors import (
    HoldExpired,
    IdempotencyKeyReused,
    InventoryUnavailable,
    NotTogether,
    SeatUnavailable,
    SoldOut,
)
from seating.domain.idempotency import short_hash
from seating.domain.purchase import Order
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from seating.redis_store.calls import Argument
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.plain_client import plain_client
from seating.redis_store.rate_limits import RateLimit
from seating.storage.tables import quarantine
from tests.frozen_clock import CLOCK, NOON_MS
from tests.one_process import OPERATOR, OneProcess, on_sqlite

pytestmark = on_sqlite  # What Redis has is the same beside either kind.

HALL = SeatingPlan([[["A1", "A2", "A3", "A4"]], [["B1", "B2", "B3", "B4"]]])
GARBAGE = ["", "garbage", "\xff", "1|2|3", "1|2|2|0:0-99999999999|x", "1|2|2|9:0-2|x", "1|2|2|1:0-2|x", "1|2|3|0:0-2|x"]


@pytest.fixture
def event(moved: OneProcess) -> str:
    return moved.open(plan=HALL)


def write(sale: OneProcess, *words: Argument) -> None:
    sale.calls.command(*words)


def damaged(sale: OneProcess, event: str) -> list[str]:
    return sale.set_aside.damaged([event])[0]


def findings(sale: OneProcess, event: str) -> str:
    return " ".join(finding.what for finding in sale.check.reconcile(event))


def rebuilt(sale: OneProcess, event: str) -> None:
    sale.persist(event)
    sale.rebuild.run(event, "values were put aside", claimable="recorded")
    sale.persist(event)
    assert damaged(sale, event) == []
    assert sale.check.reconcile(event) == []


class TestHold:
    @pytest.mark.parametrize("garbage", GARBAGE)
    def test_is_put_aside_when_it_is_due(self, moved: OneProcess, event: str, garbage: str) -> None:
        held = moved.hold(event, "A1", "A2")
        ((hold, _),) = _pairs(moved.calls.command("HGETALL", keys.hold(event)))
        write(moved, "HSET", keys.hold(event), hold, garbage.encode("latin-1"))
        with pytest.raises(HoldExpired):
            moved.buy_held(event, "k", held.token)
        write(moved, "SET", CLOCK, NOON_MS + 600_000)
        assert moved.buy_seats(event, "k2", "B1").quantity == 1
        assert moved.hold(event, "B2").record.quantity == 1
        assert damaged(moved, event) == [f"hold {hold.decode()}"]
        assert f"hold {hold.decode()} was unreadable" in findings(moved, event)
        with pytest.raises(SeatUnavailable):
            moved.buy_seats(event, "k3", "A1")
        rebuilt(moved, event)
        assert moved.buy_seats(event, "k4", "A1", "A2").quantity == 2

    def test_that_is_gone_is_as_one_that_cannot_be_read(self, moved: OneProcess, event: str) -> None:
        write(moved, "ZADD", keys.holds(event), 1, "nothing")
        write(moved, "HSET", keys.hold(event), "other", "garbage")
        assert moved.hold(event, "A1").record.quantity == 1
        assert moved.calls.command("ZSCORE", keys.holds(event), "nothing") is None
        assert damaged(moved, event) == ["hold nothing"]

    @pytest.mark.parametrize("garbage", ["garbage", "", "-1", "1e3"])
    def test_of_a_holder_whose_count_cannot_be_read(self, moved: OneProcess, event: str, garbage: str) -> None:
        held = moved.hold(event, "A1", "A2")
        ((holder, _),) = _pairs(moved.calls.command("HGETALL", keys.holders(event)))
        write(moved, "HSET", keys.holders(event), holder, garbage)
        moved.hold(event, "A3")
        assert moved.calls.command("HGET", keys.holders(event), holder) == b"1"
        write(moved, "HSET", keys.holders(event), holder, garbage)
        moved.buy_held(event, "k", held.token)
        assert moved.now(event).counts.sold == 2
        assert damaged(moved, event) == [f"holder {holder.decode()}"]


def test_an_idempotency_record_stays_a_bar_to_selling_twice(moved: OneProcess, event: str) -> None:
    field = short_hash("anonymous", "k")
    receipt = moved.buy(event, "k")
    assert moved.buy(event, "k") == receipt
    for garbage in ("garbage", "1|2", f"1|{receipt.fingerprint}|garbage"):
        write(moved, "HSET", keys.idempotency(event), field, garbage)
        with pytest.raises(IdempotencyKeyReused):
            moved.buy(event, "k")
        with pytest.raises(IdempotencyKeyReused):
            moved.hold(event, "B1", key="k")
    assert damaged(moved, event) == [f"idempotency {field}"]
    assert moved.buy(event, "another").quantity == 1
    rebuilt(moved, event)
    assert moved.buy(event, "k") == receipt


class TestMap:
    @pytest.mark.parametrize("garbage", ["garbage", "", "aaa", "aaaaa"])
    def test_of_a_block(self, moved: OneProcess, event: str, garbage: str) -> None:
        write(moved, "HSET", keys.seats(event), 0, garbage)
        assert [str(run) for run in moved.buy(event, "k", 2).runs] == ["1:0-2"]
        assert damaged(moved, event) == ["block 0"]
        with pytest.raises(NotTogether):
            moved.purchases.buy(event, "anonymous", "k2", Order(3, together=True))
        assert moved.buy(event, "k3", 2).quantity == 2
        with pytest.raises(SoldOut):
            moved.buy(event, "k4")
        rebuilt(moved, event)
        assert [str(run) for run in moved.buy(event, "k4", 4).runs] == ["0:0-4"]

    def test_that_is_gone(self, moved: OneProcess, event: str) -> None:
        held = moved.hold(event, "A1")
        write(moved, "HDEL", keys.seats(event), 0)
        assert [str(run) for run in moved.buy(event, "k", 2).runs] == ["1:0-2"]
        with pytest.raises(SeatUnavailable):
            moved.buy_seats(event, "k2", "A2")
        with pytest.raises(SeatUnavailable):
            moved.seats.set(event, "A2", "reserved", OPERATOR)
        with pytest.raises(HoldExpired):
            moved.buy_held(event, "k2", held.token)
        rebuilt(moved, event)
        assert moved.buy_held(event, "k2", held.token).quantity == 1

    def test_of_a_purchase_that_is_cancelled(self, moved: OneProcess, event: str) -> None:
        receipt = moved.buy_seats(event, "k", "A1")
        write(moved, "HDEL", keys.seats(event), 0)
        assert moved.cancel(receipt.id) == "cancelled"
        rebuilt(moved, event)
        assert moved.buy_seats(event, "k2", "A1").quantity == 1

    @pytest.mark.parametrize("garbage", ["", "zz", "garbage", "9", "99999", None])
    def test_of_the_longest_runs(self, moved: OneProcess, event: str, garbage: str | None) -> None:
        if garbage is None:
            write(moved, "DEL", keys.longest_runs(event))
        else:
            write(moved, "SET", keys.longest_runs(event), garbage)
        bought = [moved.buy(event, f"k{number}", 2) for number in range(4)]
        assert len({str(run) for receipt in bought for run in receipt.runs}) == 4
        rebuilt(moved, event)

    def test_beside_fields_and_characters_that_are_no_maps(self, moved: OneProcess, event: str) -> None:
        write(moved, "HSET", keys.seats(event), "garbage", "aaaa", 1, b"a\xffaa")
        seats = moved.statuses(event)
        assert list(seats) == [seat for block in HALL.blocks for row in block for seat in row]
        assert seats["B2"] == "reserved"


def test_a_plan_is_read_from_the_record(moved: OneProcess, event: str) -> None:
    for number, garbage in enumerate((b"garbage", b"", bytes.fromhex("789c030000000001"))):
        write(moved, "SET", keys.plan(event), garbage)
        another = moved.another()
        assert another.buy_seats(event, f"k{number}", HALL.blocks[0][0][number]).quantity == 1
        assert moved.calls.command("GET", keys.plan(event)) == HALL.pack()


FIELDS = ["epoch", "seq", "chain", "persisted", "state", "capacity", "sold", "held", "blocked"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("garbage", ["garbage", "-1", None], ids=str)
def test_an_inventory_that_cannot_be_read_is_rebuilt(moved: OneProcess, field: str, garbage: str | None) -> None:
    event = moved.open(capacity=9)
    receipt = moved.buy(event, "k")
    if garbage is None:
        write(moved, "HDEL", keys.inventory(event), field)
    else:
        write(moved, "HSET", keys.inventory(event), field, garbage)
    with pytest.raises(InventoryUnavailable):
        moved.buy(event, "k2")
    moved.nudged.clear()
    moved.persistence.run_all([event])
    assert moved.buy(event, "k") == receipt
    assert moved.buy(event, "k2").quantity == 1
    moved.persist(event)
    assert moved.check.reconcile(event) == []
    assert moved.rows(quarantine, event) == []


def test_one_event_s_damage_is_not_the_others(moved: OneProcess) -> None:
    """The cron reads all events at once."""
    broken, whole = moved.open(capacity=9), moved.open(capacity=9)
    moved.buy(whole, "k")
    write(moved, "HSET", keys.inventory(broken), "sold", "garbage", "server", b"\xff")
    for event in (broken, whole):
        write(moved, "HSET", keys.retry(event), "until", "garbage", "failures", "garbage")
    upkeep = moved.upkeep(PersistQueue(plain_client(moved.redis_url), max_waiting=0))
    for _ in range(8):  # The queue takes nothing: after a few refusals the cron persists.
        upkeep.tick()
    assert moved.lag(whole) == 0
    assert moved.now(broken).counts.sold == 0
    assert moved.buy(broken, "k").quantity == 1


@pytest.mark.parametrize("text", ["3/10s", "bucket:3,1/10s"])
@pytest.mark.parametrize("kind", ["text", "list", "hash"])
def test_a_limit_begins_anew(moved: OneProcess, event: str, text: str, kind: str) -> None:
    policy = rate_policy.parse(text)
    assert policy
    limit = RateLimit(policy, "caller")
    key = keys.event_limit(event, "sale", limit.key)
    command = {"text": ("SET", key, "garbage"), "list": ("LPUSH", key, "garbage"), "hash": ("HSET", key, "a", "b")}
    write(moved, *command[kind])
    bought = moved.purchases.buy(event, "anonymous", "k", Order(1), limit=limit)
    assert bought.verdict
    assert bought.verdict.left[0].requests == 2


def _pairs(reply: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(reply[::2], reply[1::2], strict=True))
