"""Taking purchases back: exactly once, whatever happened since."""

import threading

import pytest
from sqlalchemy import Connection, insert

from seating.domain.errors import EventNotFound, NotOnSale, PurchaseNotFound
from seating.domain.purchase import PurchaseId
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.terms import Terms
from seating.storage.tables import purchases, quarantine, sold_seats
from tests.one_process import OPERATOR, OneProcess

HALL = generate(GeneratedPlan(sections=1, rows=1, seatsPerRow=4))


@pytest.mark.parametrize("recorded", [True, False])
def test_seats_and_counts_return(sale: OneProcess, recorded: bool) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.buy(event, "k", 3)
    if recorded:
        sale.persist(event)
    assert sale.cancel(receipt.id) == "cancelled"
    assert sale.now(event).counts.remaining == 4
    assert sale.buy(event, "k2", 4).left == 0
    sale.persist(event)
    assert len(sale.rows(sold_seats, event)) == 4
    assert [row.cancelled_ms is not None for row in sale.rows(purchases, event)] == [True, False]
    assert sale.check.reconcile(event) == []


def test_twice_with_a_resale_between(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    first = sale.buy(event, "k1", 4)
    sale.cancel(first.id)
    second = sale.buy(event, "k2", 4)
    assert sale.cancel(first.id) == "cancelled"
    assert sale.now(event).counts.remaining == 0
    sale.persist(event)
    assert sale.cancel(first.id) == "cancelled"
    assert sale.now(event).counts.remaining == 0
    assert {row.purchase_id for row in sale.rows(sold_seats, event)} == {str(second.id)}
    assert sale.told(event) == ["opened", "trusted", "purchased", "cancelled", "purchased"]


def test_the_key_of_a_cancelled_purchase_replays_its_answer(sale: OneProcess) -> None:
    event = sale.open(capacity=5)
    receipt = sale.buy(event, "k", 2)
    sale.cancel(receipt.id)
    assert sale.buy(event, "k", 2) == receipt
    assert sale.now(event).counts.sold == 0
    assert sale.purchases.get(receipt.id).state == "cancelled"


def test_racing_persistence(sale: OneProcess) -> None:
    event = sale.open(capacity=500)
    receipts = [sale.buy(event, f"k{number}") for number in range(60)]
    worker, operator = sale.another(), sale.another()
    persisting = threading.Thread(target=lambda: [worker.persist(event) for _ in range(20)])
    persisting.start()
    for receipt in receipts[::2]:
        operator.cancel(receipt.id)
    persisting.join(60)
    sale.persist(event)
    assert sale.now(event).counts.sold == 30
    assert sum(row.cancelled_ms is None for row in sale.rows(purchases, event)) == 30
    assert sale.check.reconcile(event) == []


def test_two_operators_at_once(sale: OneProcess) -> None:
    event = sale.open(capacity=50)
    receipt = sale.buy(event, "k", 3)
    operators = [sale.another() for _ in range(4)]
    threads = [threading.Thread(target=operator.cancel, args=(receipt.id,)) for operator in operators]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sale.now(event).counts.sold == 0
    assert sale.calls.command("HGET", keys.inventory(event), "seq") == b"4"


def poison(sale: OneProcess, event: str, *seats: str) -> None:
    """SQL has the seats already, so that their purchases can never be recorded."""

    def write(connection: Connection) -> None:
        connection.execute(
            insert(purchases).values(
                id=f"{event}.1-999.{'0' * 16}",
                event_id=event,
                epoch=1,
                seq=999,
                entry_seq=999,
                at_ms=0,
                quantity=1,
                seats_left=0,
                runs="",
            )
        )
        owner = {"event_id": event, "purchase_id": f"{event}.1-999.{'0' * 16}"}
        connection.execute(insert(sold_seats), [owner | {"seat_id": seat} for seat in seats])

    sale.database.write(write)


def test_a_purchase_in_quarantine(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.buy(event, "k", 1)
    poison(sale, event, HALL.seats_of(receipt.runs)[0])
    sale.persist(event)
    assert sale.purchases.get(receipt.id).state == "quarantined"
    assert sale.cancel(receipt.id) == "cancelled"
    assert sale.cancel(receipt.id) == "cancelled"
    assert sale.now(event).counts.sold == 0
    assert sale.set_aside.quarantined([event]) == 0
    sale.persist(event)
    assert [row.resolution for row in sale.rows(quarantine, event)] == ["cancelled"]
    found = sale.purchases.get(receipt.id)
    assert (found.state, found.cancelled_quantity, found.cancelled_seats) == ("cancelled", 1, found.seats)
    assert found.cancelled_ms  # As Redis tells: SQL has that it is cancelled, but not when.


def test_poison_is_replayed_once_its_cause_is_gone(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.buy(event, "k", 1)
    poison(sale, event, HALL.seats_of(receipt.runs)[0])
    sale.persist(event)
    with pytest.raises(Exception, match="still rejects it"):
        sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    sale.database.write(lambda connection: connection.execute(sold_seats.delete()))
    sale.database.write(lambda connection: connection.execute(purchases.delete()))
    sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    assert sale.purchases.get(receipt.id).state == "persisted"
    assert sale.rows(quarantine, event) == []
    assert sale.check.reconcile(event) == []
    assert sale.check.verify(event).broken is None


@pytest.mark.parametrize("recorded", [True, False])
def test_ids_that_name_no_purchase(sale: OneProcess, recorded: bool) -> None:
    event, other = sale.open(capacity=5), sale.open(capacity=5)
    receipt = sale.buy(event, "k", 2)
    if recorded:
        sale.persist(event)
    _, position, nonce = receipt.id
    for wrong in (
        PurchaseId(other, position, nonce),
        PurchaseId(event, position, "0" * 16),
        PurchaseId(event, position._replace(seq=1), nonce),
        PurchaseId(event, position._replace(epoch=position.epoch + 1), nonce),
        PurchaseId("nowhere", position, nonce),
    ):
        with pytest.raises(PurchaseNotFound):
            sale.cancel(wrong)
    assert sale.now(event).counts.sold == 2
    assert sale.lag(other) == 0


class TestState:
    def test_a_paused_sale_sells_nothing_and_replays(self, sale: OneProcess) -> None:
        event = sale.open(capacity=5)
        receipt = sale.buy(event, "k", 2)
        sale.events.set_state(event, "paused", OPERATOR)
        assert sale.events.get(event).state == "paused"
        with pytest.raises(NotOnSale):
            sale.buy(event, "k2")
        assert sale.buy(event, "k", 2) == receipt
        sale.events.set_state(event, "on_sale", OPERATOR)
        assert sale.buy(event, "k2").left == 2

    def test_closed_is_for_good(self, sale: OneProcess) -> None:
        event = sale.open(capacity=5)
        sale.events.set_state(event, "closed", OPERATOR)
        sale.events.set_state(event, "closed", OPERATOR)
        with pytest.raises(NotOnSale):
            sale.events.set_state(event, "on_sale", OPERATOR)
        assert sale.calls.command("HGET", keys.inventory(event), "seq") == b"3"

    def test_of_an_unknown_event(self, sale: OneProcess) -> None:
        with pytest.raises(EventNotFound):
            sale.events.set_state("nowhere", "paused", OPERATOR)


def test_poison_is_known_even_if_its_worker_died_before_it_could_tell(
    sale: OneProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.buy(event, "k", 1)
    poison(sale, event, HALL.seats_of(receipt.runs)[0])
    with monkeypatch.context() as dying:
        dying.setattr(Terms, "acknowledge", _die)
        with pytest.raises(SystemExit):
            sale.persist(event)
    sale.persist(event)
    assert [row.reason for row in sale.rows(quarantine, event)] == ["poison"]
    assert sale.purchases.get(receipt.id).state == "quarantined"
    assert not sale.purchases.watch.wait(receipt.id, 1)


def _die(*_arguments: object, **_named: object) -> None:
    raise SystemExit
