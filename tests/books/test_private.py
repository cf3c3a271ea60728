"""What shops say of their customers: beside the chain, carried wherever the purchase goes, and erasable."""

import json
from dataclasses import replace
from typing import Final

import pytest
from sqlalchemy import Connection, null, select, update

from seating.domain.errors import IdempotencyKeyReused
from seating.domain.inventory_state import InventoryState
from seating.domain.personal_data import PersonalData
from seating.domain.purchase import Order
from seating.domain.receipt import Receipt
from seating.domain.recovery_errors import NotReplayable
from seating.domain.seating_plan import SeatingPlan
from seating.live import messages
from seating.redis_store import keys
from seating.redis_store.event_log import LiveLog
from seating.redis_store.plain_client import plain_client
from seating.redis_store.terms import LogKeeping
from seating.storage.tables import ledger, purchases, quarantine
from tests.one_process import OPERATOR, OneProcess
from tests.terms.backups import backup, distrust, restore, set_private, trim

HALL: Final = SeatingPlan([[["A1", "A2", "A3", "A4"], ["B1", "B2", "B3", "B4"]]])
ADA: Final = PersonalData("ada@example.com", "order | 17 %s {}", 'said "two, please" ä\\')
ORDER: Final = Order(2, reference=ADA.reference, buyer=ADA.buyer, note=ADA.note)


def personal_words(text: str) -> list[str]:
    return [word for word in ("ada@example.com", "order | 17", "two, please") if word in text]


def erase(sale: OneProcess, event: str) -> None:
    """From SQL, as an operator who has to."""

    def write(connection: Connection) -> None:
        for table in (ledger, quarantine):
            connection.execute(update(table).where(table.c.event_id == event).values(private=null()))
        gone = {"buyer": None, "reference": None, "note": None}
        connection.execute(update(purchases).where(purchases.c.event_id == event).values(**gone))

    sale.database.write(write)


def recorded(sale: OneProcess, receipt: Receipt) -> PersonalData:
    return sale.purchases.get(receipt.id).personal


def test_sockets_are_never_told(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.order(event, "k", ORDER)
    client = plain_client(sale.redis_url)
    (read, *_) = LiveLog(client).after({event: receipt.id.position._replace(seq=2)}, 10, 100)[event]
    assert read.private is None
    entry = sale.persistence.log.entry_at(event, receipt.id.position)
    assert entry
    assert entry.private
    change = entry.read()
    assert change
    told = [*messages.seats(event, HALL, entry, change), *messages.seat_updates(event, HALL, entry, change)]
    assert len(told) == 3
    assert personal_words("".join(told)) == []


@pytest.mark.parametrize("persisted", [False, True])
def test_it_stands_beside_the_entry(sale: OneProcess, persisted: bool) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.order(event, "k", ORDER)
    entry = sale.persistence.log.entry_at(event, receipt.id.position)
    assert entry
    assert entry.private
    assert PersonalData.parse(entry.private) == ADA
    assert len(json.loads(entry.private)["salt"]) == 32
    assert personal_words(entry.change) == []
    if persisted:
        sale.persist(event)
        (row,) = sale.rows(purchases, event)
        assert (row.buyer, row.reference, row.note) == ADA
        assert [row.private for row in sale.rows(ledger, event)] == [None, None, entry.private]
    assert recorded(sale, receipt) == ADA
    assert sale.check.reconcile(event) == []
    assert sale.check.verify(event).broken is None


def test_salts_differ_and_repetitions_replay(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    first, second = (sale.order(event, key, ORDER) for key in ("k1", "k2"))
    assert first.personal == second.personal == ADA
    assert first.private != second.private
    assert [sale.order(event, key, ORDER) for key in ("k1", "k2")] == [first, second]
    for other in (
        ORDER._replace(buyer="bob"),
        ORDER._replace(note=None),
        ORDER._replace(reference=None),
        Order(2),
        Order(2, reference=ADA.reference),
    ):
        with pytest.raises(IdempotencyKeyReused):
            sale.order(event, "k1", other)


def test_a_record_of_a_version_before_is_replayed(sale: OneProcess) -> None:
    """Its fingerprint has the reference in it, and so has its entry."""
    event, order = sale.open(capacity=9), Order(2, reference="R1")
    now = sale.order(event, "k", order)
    (name,) = sale.calls.command("HKEYS", keys.idempotency(event))
    former = order.former_fingerprint()
    assert former
    before = now._replace(fingerprint=former, shop='{"caller":"shop","reference":"R1"}')
    text = f"1|{former}|{now.id.position}|{now.id.nonce}|2|7||{now.at_ms}|{before.shop}"
    sale.calls.command("HSET", keys.idempotency(event), name, text)
    assert sale.order(event, "k", order) == before
    assert before.personal == PersonalData(reference="R1")
    for other in (order._replace(reference="R2"), order._replace(quantity=1), Order(2), ORDER):
        with pytest.raises(IdempotencyKeyReused):
            sale.order(event, "k", other)


def test_a_rebuild_brings_it_back(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.order(event, "k", ORDER)
    sale.persist(event)
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    assert sale.order(event, "k", ORDER) == receipt
    assert sale.check.reconcile(event) == []


def test_erased_the_chain_is_whole_and_a_rebuild_works(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.order(event, "k", ORDER)
    sale.cancel(sale.order(event, "other", ORDER).id)
    sale.persist(event)
    erase(sale, event)
    assert sale.check.verify(event) == (5, None)
    sale.rebuild.run(event, "personal data was erased", claimable="recorded")
    sale.persist(event)
    assert sale.check.verify(event).broken is None
    assert sale.check.reconcile(event) == []
    assert recorded(sale, receipt) == PersonalData()
    again = sale.order(event, "k", ORDER)
    assert again == receipt._replace(shop='{"caller":"shop","reference":null,"private":null}')
    for name in sale.calls.command("KEYS", "*"):
        if name.startswith((b"log", b"idempotency", b"quarantine")):
            assert personal_words(repr(sale.calls.command("DUMP", name))) == [], name
    for table in (ledger, purchases, quarantine):
        assert personal_words(str(sale.rows(table, event))) == []


def test_erased_before_it_is_recorded(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.order(event, "k", ORDER)
    set_private(sale, event, None)
    sale.persist(event)
    assert sale.check.verify(event).broken is None
    assert recorded(sale, receipt) == PersonalData()


def test_another_text_beside_an_entry_is_put_aside(sale: OneProcess) -> None:
    """The sale goes on: the chain says that seats and receipts are right, and only a person knows the rest."""
    event = sale.open(plan=HALL)
    receipt = sale.order(event, "k", ORDER)
    set_private(sale, event, PersonalData("mallory").to_text())
    other = sale.order(event, "other", ORDER)
    sale.persist(event)
    assert sale.lag(event) == 0
    (aside,) = sale.rows(quarantine, event)
    assert (aside.seq, aside.reason) == (3, "poison")
    assert aside.error.startswith("its personal data is not what was written with it\n")
    found = sale.purchases.get(receipt.id)
    assert (found.state, found.personal) == ("quarantined", PersonalData())
    assert sale.purchases.get(other.id).personal == ADA
    assert sale.check.verify(event) == (2, f"the personal data at {receipt.id.position} was altered")
    with pytest.raises(Exception, match="its personal data is not what was written with it"):
        sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    erase(sale, event)
    sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    assert sale.purchases.get(receipt.id).state == "persisted"
    assert sale.check.verify(event).broken is None


def test_why_sql_refused_it_does_not_quote_it(sale: OneProcess) -> None:
    """Only Postgres refuses what is too long."""
    event = sale.open(plan=HALL)
    sale.order(event, "k", ORDER._replace(buyer=f"ada@example.com{'m' * 64}"))
    sale.persist(event)
    for aside in sale.rows(quarantine, event):
        assert aside.error.startswith("one of its values does not fit its column\n")
        assert personal_words(aside.error) == []


def test_what_is_replaced_in_sql_is_found(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.order(event, "k", ORDER)
    sale.persist(event)
    other = PersonalData("mallory").to_text()
    here = (ledger.c.event_id == event, ledger.c.seq == receipt.id.position.seq)
    sale.database.write(lambda connection: connection.execute(update(ledger).where(*here).values(private=other)))
    assert sale.check.verify(event) == (2, f"the personal data at {receipt.id.position} was altered")


@pytest.mark.parametrize("prefer", ["redis", "sql"])
def test_a_merge_takes_it_in(sale: OneProcess, prefer: str) -> None:
    event = sale.open(plan=HALL)
    sale.persist(event)
    kept = backup(sale.database)
    receipt = sale.order(event, "k", ORDER)
    sale.persist(event)
    trim(sale, event)
    restore(sale.database, kept)
    sale.persist(event)
    sale.merge.run(event, prefer, OPERATOR)
    assert recorded(sale, receipt) == ADA
    assert sale.order(event, "k", ORDER) == receipt
    assert sale.check.reconcile(event) == []


def test_a_fork_is_replayed_with_it(sale: OneProcess) -> None:
    """Redis came back older than SQL: what it sells on, without knowing, is of another history."""
    sale = OneProcess.build(sale.redis_url, sale.database, keeping=LogKeeping())
    event = sale.open(plan=HALL)
    sale.persist(event)
    kept = backup(sale.database)
    theirs, waiting = sale.order(event, "theirs", ORDER), sale.order(event, "waits", ORDER._replace(seats=("B1", "B2")))
    sale.seats.set(event, "B4", "reserved", OPERATOR)
    saved = {name: sale.calls.command("DUMP", name) for name in keys.all_of(event)}
    restore(sale.database, kept)
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    # One that has seen no more than this Redis has.
    sale = OneProcess.build(sale.redis_url, sale.database, keeping=LogKeeping())
    ours = sale.order(event, "ours", Order(1, seats=("B1",)))
    sale.persist(event)
    for name, value in saved.items():
        if value is not None:
            sale.calls.command("RESTORE", name, 0, value, "REPLACE")
    distrust(sale, event)
    sale.persist(event)
    assert {recorded(sale, receipt) for receipt in (theirs, waiting)} == {ADA}
    assert [sale.purchases.get(receipt.id).state for receipt in (theirs, waiting, ours)] == [
        "persisted",
        "quarantined",
        "persisted",
    ]
    kept_aside = sale.calls.command("HVALS", keys.quarantine(event))
    assert [PersonalData.parse(text.decode().partition("\n")[2]) for text in kept_aside] == [ADA]
    sale.cancel(ours.id)
    sale.quarantine.replay(event, str(waiting.id.position), OPERATOR)
    sale.persist(event)
    assert sale.purchases.get(waiting.id)[1:] == sale.purchases.get(waiting.id)._replace(personal=ADA)[1:]
    assert sale.check.reconcile(event) == []


def lost_sale(sale: OneProcess) -> tuple[str, Receipt]:
    """An event, and the receipt of a purchase that Redis lost before SQL had it."""
    event = sale.open(plan=HALL)
    sale.persist(event)
    receipt = sale.order(event, "k", ORDER)
    sale.answered.flush()
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    sale.answered.flush()
    return event, receipt


def test_the_receipt_of_a_lost_sale_has_it(sale: OneProcess) -> None:
    event, receipt = lost_sale(sale)
    assert sale.purchases.get(receipt.id).state == "quarantined"
    assert recorded(sale, receipt) == ADA
    sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    sale.persist(event)
    assert recorded(sale, receipt) == ADA
    assert sale.check.reconcile(event) == []


def test_another_text_beside_a_lost_sale_is_not_sold_again(sale: OneProcess) -> None:
    event, receipt = lost_sale(sale)
    other = PersonalData("mallory").to_text()
    here = quarantine.c.event_id == event
    sale.database.write(lambda connection: connection.execute(update(quarantine).where(here).values(private=other)))
    with pytest.raises(NotReplayable, match="its personal data is not what was written with it"):
        sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    assert sale.purchases.get(receipt.id).state == "quarantined"
    erase(sale, event)
    sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    sale.persist(event)
    found = sale.purchases.get(receipt.id)
    assert (found.state, found.personal) == ("persisted", PersonalData())


def test_a_merged_states_digest_leaves_it_out(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    sale.order(event, "k", ORDER)
    (name, record) = sale.calls.command("HGETALL", keys.idempotency(event))
    with_it = InventoryState([], idempotency={name.decode(): record.decode()})
    start, _, _ = record.decode().partition(',"private"')
    without = replace(with_it, idempotency={name.decode(): f'{start},"private":null}}'})
    assert with_it.dump() != without.dump()
    assert with_it.digest() == without.digest()


def test_lists_have_it(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    sale.order(event, "k", ORDER)
    sale.persist(event)
    (found,) = sale.purchase_lists.page(event, None, 10, ADA.reference).items
    assert found.personal == ADA
    assert sale.database.read(lambda connection: connection.execute(select(purchases.c.note)).scalars().all()) == [
        ADA.note
    ]
