"""Cancelling a part of a purchase: what is to be cancelled in all, so that nothing returns twice."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import resources
from typing import Any, Final

import pytest

from seating.domain.cancellation import ALL, Bought, Cancellation, Part
from seating.domain.change_json import parse_change
from seating.domain.errors import InvalidRequest, InventoryUnavailable, SeatNotFound
from seating.domain.purchase import Purchase
from seating.domain.receipt import Receipt
from seating.domain.recovery_errors import NotReplayable, Overtaken, PurchaseQuarantined, RebuildRefused
from seating.domain.seating_plan import SeatingPlan, SeatRange
from seating.redis_store import keys
from seating.redis_store.calls import Scripts
from seating.redis_store.terms import LogKeeping
from seating.storage.tables import audit, ledger, purchases, quarantine, sold_seats
from tests.books.test_cancel import poison
from tests.one_process import OPERATOR, OneProcess, on_sqlite
from tests.terms.backups import backup, distrust, restore, trim

HALL: Final = SeatingPlan([[["A1", "A2", "A3", "A4"], ["B, left", "B, left, 2", "B", "B4"]]])


def seats_of(sale: OneProcess, event: str) -> set[str]:
    return {row.seat_id for row in sale.rows(sold_seats, event)}


def right(sale: OneProcess, event: str) -> None:
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    assert sale.check.verify(event).broken is None


def part(sale: OneProcess, receipt: Receipt, *seats: str, quantity: int | None = None) -> Purchase:
    return sale.purchases.cancel(receipt.id, OPERATOR, ",".join(seats), quantity)


@pytest.mark.parametrize("recorded", [True, False])
def test_seats(sale: OneProcess, recorded: bool) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.buy_seats(event, "k", "A1", "A2", "A3")
    if recorded:
        sale.persist(event)
    for seats, gone in ((("A2",), ["A2"]), (("A2",), ["A2"]), (("A3", "A2", "A3"), ["A2", "A3"])):
        found = part(sale, receipt, *seats)
        assert (found.cancelled_seats, found.cancelled_quantity) == (gone, len(gone))
        assert (found.seats, found.quantity) == (["A1", "A2", "A3"], 3)
        assert found.state != "cancelled"
        assert sale.now(event).counts.sold == 3 - len(gone)
    right(sale, event)
    assert seats_of(sale, event) == {"A1"}
    stands = sale.purchases.get(receipt.id)
    assert (stands.state, stands.cancelled_seats, stands.why) == ("persisted", ["A2", "A3"], "a test")
    assert stands.cancelled_ms == found.cancelled_ms
    other = sale.buy_seats(event, "other", "A2")
    assert part(sale, receipt, "A2", "A3") == stands._replace(entry_seq=found.entry_seq) or not recorded
    assert part(sale, receipt).state == "cancelled"
    assert part(sale, receipt).cancelled_quantity == 3
    right(sale, event)
    assert seats_of(sale, event) == {"A2"}
    assert sale.now(event).counts.sold == 1
    assert sale.purchases.get(other.id).state == "persisted"
    assert sale.buy_seats(event, "k", "A1", "A2", "A3") == receipt
    acts = [(row.action, row.after) for row in sale.rows(audit, event) if row.action == "purchase.cancel"]
    assert acts == [("purchase.cancel", after) for after in ("partly cancelled", "partly cancelled", "cancelled")]


def test_places(sale: OneProcess) -> None:
    event = sale.open(capacity=10)
    receipt = sale.buy(event, "k", 5)
    for quantity, gone in ((2, 2), (2, 2), (1, 2), (4, 4), (5, 5), (3, 5)):
        found = part(sale, receipt, quantity=quantity)
        assert (found.cancelled_quantity, found.quantity) == (gone, 5)
        assert sale.now(event).counts.sold == 5 - gone
        sale.persist(event)
        assert sale.purchases.get(receipt.id).cancelled_quantity == gone
        assert sale.check.reconcile(event) == []
    assert found.state == "cancelled"
    assert sale.told(event)[2:] == ["purchased", "cancelled", "cancelled", "cancelled"]
    assert sale.buy(event, "k", 5) == receipt


def test_what_is_no_part_of_it(sale: OneProcess) -> None:
    seated, general = sale.open(plan=HALL), sale.open(capacity=9)
    chosen, places = sale.buy_seats(seated, "k", "A1", "A2"), sale.buy(general, "k", 2)
    for seats, unknown in ((("A1", "A3"), "A3"), (("nowhere",), "nowhere")):
        with pytest.raises(SeatNotFound) as refused:
            part(sale, chosen, *seats)
        assert refused.value.facts == {"seats": [unknown]}
    with pytest.raises(SeatNotFound):
        part(sale, places, "A1")
    with pytest.raises(InvalidRequest, match="name the seats"):
        part(sale, chosen, quantity=1)
    with pytest.raises(InvalidRequest, match="cannot exceed the 2"):
        part(sale, places, quantity=3)
    assert [sale.now(event).counts.sold for event in (seated, general)] == [2, 2]


def test_ids_with_commas(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.buy_seats(event, "k", "B, left", "B, left, 2", "B", "B4")
    assert part(sale, receipt, "B, left, 2", "B").cancelled_seats == ["B, left, 2", "B"]
    assert part(sale, receipt, "B, left").cancelled_quantity == 3
    right(sale, event)
    assert seats_of(sale, event) == {"B4"}


@pytest.mark.parametrize("seated", [True, False])
def test_a_rebuild_knows_it(sale: OneProcess, seated: bool) -> None:
    event = sale.open(plan=HALL) if seated else sale.open(capacity=8)
    receipt = sale.buy(event, "k", 4)
    sale.cancel_part(receipt, 1)
    sale.cancel_part(receipt, 3)
    sale.persist(event)
    kept = sale.calls.command("HGETALL", keys.cancelled(event))
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    assert sale.calls.command("HGETALL", keys.cancelled(event)) == kept
    assert sale.now(event).counts.sold == 1
    assert sale.cancel_part(receipt, 3).cancelled_quantity == 3
    assert sale.now(event).counts.sold == 1
    right(sale, event)


def at_once(*calls: Callable[[], object]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def in_processes(sale: OneProcess, *acts: Callable[[OneProcess], object]) -> None:
    """Each in a thread of its own, with connections of its own."""
    at_once(*(partial(lambda act: act(sale.another()), act) for act in acts))


def test_two_at_once_return_each_seat_once(sale: OneProcess) -> None:
    event, other = sale.open(plan=HALL), sale.open(capacity=100)
    for round_ in range(5):
        chosen, places = sale.buy_seats(event, f"k{round_}", "A1", "A2", "A3"), sale.buy(other, f"k{round_}", 5)
        wanted = [("A1", "A2"), ("A2", "A3"), ("A1",), ("A2",)]
        in_processes(sale, *(partial(_part_of, chosen, seats, None) for seats in wanted))
        in_processes(sale, *(partial(_part_of, places, (), count) for count in (2, 3, 3, 1)))
        assert sale.purchases.get(chosen.id).state == "cancelled"
        assert sale.purchases.get(places.id).cancelled_quantity == 3
        assert sale.now(event).counts.sold == 0
        assert sale.now(other).counts.sold == 2 * (round_ + 1)
    right(sale, event)
    right(sale, other)


def _part_of(receipt: Receipt, seats: Sequence[str], quantity: int | None, sale: OneProcess) -> None:
    _insist(lambda: part(sale, receipt, *seats, quantity=quantity))


def test_the_twin_that_forgets_what_is_cancelled_returns_it_twice(redis_url: str, sale: OneProcess) -> None:
    """The guard is the script's look at field 5: what a service has read before is too old by then."""
    text = (resources.files("seating.redis_store") / "lua" / "cancel.lua").read_text()
    guard = "local kept = redis.call('HGET', KEYS[5], purchase)"
    assert guard in text
    twin = OneProcess.build(redis_url, sale.database, Scripts({"cancel": text.replace(guard, "local kept")}))
    for one, sold in ((sale, 3), (twin, 1)):
        event = one.open(capacity=10)
        receipt = one.buy(event, "k", 5)
        stale = one.purchases.get(receipt.id)
        for _ in range(2):
            one.inventory.cancel(stale, Part(2), OPERATOR)
        assert one.now(event).counts.sold == sold


def test_a_rebuild_refuses_it_and_its_twin_loses_it(redis_url: str, sale: OneProcess) -> None:
    """Between a rebuild's look at SQL and its last step nobody may cancel: the guard is the look at who may sell."""
    text = (resources.files("seating.redis_store") / "lua" / "prelude.lua").read_text()
    guard = "if values[1] ~= this_server() then"
    assert guard in text
    twin = OneProcess.build(redis_url, sale.database, Scripts({"prelude": text.replace(guard, "if false then")}))
    for one, cancelled in ((sale, None), (twin, 2)):
        event = one.open(capacity=10)
        receipt = one.buy(event, "k", 5)
        one.persist(event)
        told = None
        with one.rebuild.claimed(event, "rebuild", "any") as attempt:
            with suppress(InventoryUnavailable):
                told = part(one, receipt, quantity=2).cancelled_quantity
            one.rebuild.write(event, attempt)
        assert told == cancelled
        one.persist(event)
        assert one.now(event).counts.sold == 5
    # Only the twin's operator was told that two places were back.


def test_against_rebuilds(sale: OneProcess) -> None:
    event = sale.open(capacity=200)
    receipts = [sale.buy(event, f"k{number}", 4) for number in range(20)]
    sale.persist(event)
    done = threading.Event()

    def rebuild(rebuilder: OneProcess) -> None:
        while not done.is_set():
            with suppress(Overtaken, RebuildRefused):
                rebuilder.persist(event)
                rebuilder.rebuild.run(event, "a test", claimable="recorded")
            rebuilder.persist(event)

    def cancel(operator: OneProcess) -> None:
        try:
            for receipt in receipts:
                for _ in range(2):
                    _part_of(receipt, (), 3, operator)
        finally:
            done.set()

    in_processes(sale, rebuild, cancel)
    sale.persist(event)
    sale.persist(event)
    assert [sale.purchases.get(receipt.id).cancelled_quantity for receipt in receipts] == [3] * 20
    assert sale.now(event).counts.sold == 20
    right(sale, event)


def _insist(ask: Callable[[], object]) -> None:
    """As a client does that is told to try again."""
    for _ in range(2_000):
        try:
            ask()
            return
        except InventoryUnavailable:
            continue
    raise AssertionError("it never sold again")


def test_a_part_of_what_waits_in_quarantine(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.buy_seats(event, "k", "A1", "A2")
    poison(sale, event, "A1")
    sale.persist(event)
    with pytest.raises(PurchaseQuarantined):
        part(sale, receipt, "A1")
    assert part(sale, receipt).state == "cancelled"


def test_poison_whose_part_was_cancelled_meanwhile(sale: OneProcess) -> None:
    """Both wait for the operator, who replays them as one."""
    event = sale.open(plan=HALL)
    receipt = sale.buy_seats(event, "k", "A1", "A2")
    poison(sale, event, "A1")
    part(sale, receipt, "A2")
    sale.persist(event)
    assert [(row.seq, row.reason) for row in sale.rows(quarantine, event)] == [(3, "poison"), (4, "poison")]
    sale.database.write(lambda connection: connection.execute(sold_seats.delete()))
    sale.database.write(lambda connection: connection.execute(purchases.delete()))
    sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    assert sale.rows(quarantine, event) == []
    assert seats_of(sale, event) == {"A1"}
    right(sale, event)


class TestArchived:
    @pytest.mark.parametrize("seated", [True, False])
    def test_a_part_and_the_rest(self, sale: OneProcess, seated: bool) -> None:
        event = sale.open(plan=HALL) if seated else sale.open(capacity=8)
        receipt, other = sale.buy(event, "k", 3), sale.buy(event, "other", 2)
        sale.archive(event)
        for _ in range(2):
            assert sale.cancel_part(receipt, 2).cancelled_quantity == 2
        found = sale.purchases.get(receipt.id)
        assert (found.state, found.cancelled_quantity, found.why) == ("persisted", 2, "a test")
        assert [sale.cancel(receipt.id) for _ in range(2)] == ["cancelled"] * 2
        assert sale.purchases.get(other.id).state == "persisted"
        assert [row.left for row in map(_read, sale.rows(ledger, event)[-2:])] == [5, 6]
        assert sale.check.verify(event) == (7, None)
        assert sale.check.reconcile(event) == []
        listed = sale.purchase_lists.page(event, None, 10).items
        assert [purchase.state for purchase in listed] == ["persisted", "cancelled"]
        assert not sale.calls.command("EXISTS", *keys.all_of(event)[1:])
        sale.answered.flush()
        sale.persist(event)
        assert sale.check.reconcile(event) == []
        acts = [row.action for row in sale.rows(audit, event)]
        assert acts.count("purchase.cancel") == 2

    def test_what_waits_in_quarantine(self, sale: OneProcess) -> None:
        event = sale.open(plan=HALL)
        receipt = sale.buy_seats(event, "k", "A1", "A2")
        poison(sale, event, "A1")
        sale.archive(event)
        stale = sale.purchases.get(receipt.id)
        for _ in range(2):
            found = sale.purchases.cancel(receipt.id, OPERATOR)
            assert (found.state, found.cancelled_quantity) == ("cancelled", 2)
            assert found.cancelled_seats == found.seats == ["A1", "A2"]
        assert sale.purchases.archived.cancel(stale, ALL, OPERATOR) == (None, False)
        assert [row.resolution for row in sale.rows(quarantine, event)] == ["cancelled"]
        assert sale.told(event).count("cancelled") == 1
        assert sale.check.verify(event).broken is None

    def test_many_at_once(self, sale: OneProcess) -> None:
        event = sale.open(capacity=100)
        receipts = [sale.buy(event, f"k{number}", 5) for number in range(4)]
        sale.archive(event)

        def cancel(count: int, one: OneProcess) -> None:
            for receipt in receipts:
                _part_of(receipt, (), count, one)

        in_processes(sale, *(partial(cancel, count) for count in (1, 3, 2)))
        assert [sale.purchases.get(receipt.id).cancelled_quantity for receipt in receipts] == [3] * 4
        assert sum(row.quantity for row in map(_read, sale.rows(ledger, event)) if hasattr(row, "purchase")) == 12
        assert sale.check.verify(event).broken is None
        assert sale.check.reconcile(event) == []


def _read(row: Any) -> Any:
    return parse_change(row.change)


@on_sqlite
class TestTwoHistories:
    """SQL was restored and sold on; then the first Redis came back with what it had."""

    def _split(self, sale: OneProcess, seated: bool, ours: int, theirs: int) -> tuple[OneProcess, str, Receipt]:
        sale = OneProcess.build(sale.redis_url, sale.database, keeping=LogKeeping())
        event = sale.open(plan=HALL) if seated else sale.open(capacity=8)
        receipt = sale.buy(event, "k", 4)
        sale.persist(event)
        kept = backup(sale.database)
        sale.cancel_part(receipt, theirs)
        saved = {name: sale.calls.command("DUMP", name) for name in keys.all_of(event)}
        restore(sale.database, kept)
        sale.calls.command("FLUSHALL")
        sale.persist(event)
        # One that has seen no more than this Redis has.
        sale = OneProcess.build(sale.redis_url, sale.database, keeping=LogKeeping())
        sale.cancel_part(receipt, ours)
        sale.persist(event)
        for name, value in saved.items():
            if value is not None:
                sale.calls.command("RESTORE", name, 0, value, "REPLACE")
        distrust(sale, event)
        return sale, event, receipt

    @pytest.mark.parametrize("seated", [True, False])
    @pytest.mark.parametrize(("ours", "theirs"), [(1, 3), (3, 1), (2, 2), (4, 2), (2, 4)])
    def test_a_fork_adds_what_it_has_beyond(self, sale: OneProcess, seated: bool, ours: int, theirs: int) -> None:
        sale, event, receipt = self._split(sale, seated, ours, theirs)
        sale.persist(event)
        most = max(ours, theirs)
        found = sale.purchases.get(receipt.id)
        assert (found.cancelled_quantity, found.state == "cancelled") == (most, most == 4)
        assert sale.now(event).counts.sold == 4 - most
        right(sale, event)

    @pytest.mark.parametrize("seated", [True, False])
    @pytest.mark.parametrize("prefer", ["redis", "sql"])
    @pytest.mark.parametrize(("before", "after"), [(1, 3), (2, 2), (1, 4)])
    def test_a_merge_has_what_either_has(
        self, sale: OneProcess, seated: bool, prefer: str, before: int, after: int
    ) -> None:
        event = sale.open(plan=HALL) if seated else sale.open(capacity=8)
        sale.persist(event)
        empty = backup(sale.database)
        receipt = sale.buy(event, "k", 4)
        sale.cancel_part(receipt, before)
        sale.cancel_part(receipt, after)
        sale.persist(event)
        trim(sale, event)
        restore(sale.database, empty)
        sale.persist(event)
        sale.merge.run(event, prefer, OPERATOR)
        assert sale.purchases.get(receipt.id).cancelled_quantity == after
        assert sale.now(event).counts.sold == 4 - after
        assert sale.cancel_part(receipt, after).cancelled_quantity == after
        assert sale.purchases.cancel(receipt.id, OPERATOR).state == "cancelled"
        assert sale.now(event).counts.sold == 0
        right(sale, event)


FOUR: Final = Bought(4, [SeatRange(0, 0, 4)])


def of_seats(*starts: int) -> Cancellation:
    return Cancellation(7, 1, len(starts), tuple(SeatRange(0, start, 1) for start in starts))


class TestRules:
    def test_what_is_left_to_cancel(self) -> None:
        assert FOUR.to_cancel(ALL, None) == FOUR
        assert FOUR.to_cancel(ALL, of_seats(1)) == (3, [SeatRange(0, 0, 1), SeatRange(0, 2, 2)])
        assert FOUR.to_cancel(Part(runs=[SeatRange(0, 1, 2)]), of_seats(1)) == (1, [SeatRange(0, 2, 1)])
        assert FOUR.to_cancel(ALL, Cancellation(7, 1)).quantity == 0
        places = Bought(4, [])
        assert [places.to_cancel(Part(n), Cancellation(7, 1, 2)).quantity for n in (1, 2, 3, 4)] == [0, 0, 1, 2]

    def test_united(self) -> None:
        whole = Cancellation(9, 2)
        assert FOUR.united(None, None) is None
        for one, other, expected in (
            (None, of_seats(1), of_seats(1)),
            (whole, of_seats(1), whole),
            (of_seats(1, 2), of_seats(2, 3), of_seats(1, 2, 3)),
            (of_seats(0, 1), of_seats(2, 3), Cancellation(7, 1)),
        ):
            for first, second in ((one, other), (other, one)):
                found = FOUR.united(first, second)
                assert found
                assert FOUR.cancelled(found).quantity == FOUR.cancelled(expected).quantity
                assert found.is_whole == expected.is_whole
        assert Bought(4, []).united(Cancellation(7, 1, 1), Cancellation(8, 1, 3)) == Cancellation(8, 1, 3)

    @pytest.mark.parametrize("text", ["7|1", "7|1|2|0:0-1,0:2-1", "7|1|2|"])
    def test_texts(self, text: str) -> None:
        assert str(Cancellation.parse(text)) == text


def test_poison_with_a_part_cancelled_is_replayed_as_a_whole(sale: OneProcess) -> None:
    """Neither could be recorded alone: the purchase's seat has another owner by now, and the part has no purchase."""
    event = sale.open(plan=HALL)
    receipt = sale.buy_seats(event, "k", "A1", "A2", "A3")
    part(sale, receipt, "A2")
    poison(sale, event, "A3")
    part(sale, receipt, "A1")
    other = sale.buy_seats(event, "other", "A2")
    sale.persist(event)
    waiting = [row.seq for row in sale.rows(quarantine, event)]
    assert len(waiting) == 3
    assert sale.purchases.get(receipt.id).state == "quarantined"
    assert sale.purchases.get(other.id).state == "persisted"
    dismissed = sale.quarantine.page(event, 0, 10).items[0]
    sale.quarantine.cancel(event, str(dismissed.entry.position), OPERATOR)
    with pytest.raises(NotReplayable, match="already sold"):
        sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    assert [row.seq for row in sale.rows(quarantine, event)] == waiting
    sale.database.write(lambda connection: connection.execute(sold_seats.delete().where(sold_seats.c.seat_id == "A3")))
    sale.database.write(lambda connection: connection.execute(purchases.delete().where(purchases.c.seq == 999)))
    sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    assert sale.rows(quarantine, event) == []
    assert sale.set_aside.quarantined([event]) == 0
    right(sale, event)
    owners = {row.seat_id: row.purchase_id for row in sale.rows(sold_seats, event)}
    assert owners == {"A2": str(other.id), "A3": str(receipt.id)}
    found = sale.purchases.get(receipt.id)
    assert (found.state, set(found.cancelled_seats)) == ("persisted", {"A1", "A2"})
    part(sale, receipt)
    right(sale, event)
    assert seats_of(sale, event) == {"A2"}


def test_poison_with_a_part_cancelled_is_cancelled_as_a_whole(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.buy_seats(event, "k", "A1", "A2", "A3")
    part(sale, receipt, "A2")
    poison(sale, event, "A3")
    sale.persist(event)
    assert sale.cancel(receipt.id) == "cancelled"
    sale.persist(event)
    assert [row.resolution for row in sale.rows(quarantine, event)] == ["cancelled", None]
    (left,) = sale.quarantine.page(event, 0, 10).items
    with pytest.raises(NotReplayable, match="there is no purchase"):
        sale.quarantine.replay(event, str(left.entry.position), OPERATOR)
    sale.quarantine.cancel(event, str(left.entry.position), OPERATOR)
    assert sale.set_aside.quarantined([event]) == 0
    assert sale.now(event).counts.sold == 0
