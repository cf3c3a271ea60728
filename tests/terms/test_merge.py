"""SQL lost what it had acknowledged, and a person makes one history of two."""

import pytest

from seating.domain.changes import OfferSet
from seating.domain.errors import InventoryUnavailable, SeatUnavailable
from seating.domain.purchase import Order
from seating.domain.recovery_errors import NothingToMerge
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from seating.redis_store.terms import LogKeeping
from seating.storage import answered
from seating.storage import audit as audit_record
from seating.storage.tables import ledger, purchases, sold_seats
from tests.offers import buy, change, open_hall
from tests.one_process import OPERATOR, OneProcess
from tests.persistence.test_archive import upkeep
from tests.terms.backups import backup, distrust, restore, trim
from tests.terms.conftest import Begin

HALL = SeatingPlan([[["A1", "A2", "A3", "A4"], ["B1", "B2", "B3", "B4"]]])


def test_a_log_that_reaches_is_recorded_again(sale: OneProcess) -> None:
    sale = OneProcess.build(sale.redis_url, sale.database, keeping=LogKeeping())
    event = sale.open(plan=HALL)
    kept = backup(sale.database)
    bought = [sale.buy(event, f"k{number}") for number in range(3)]
    sale.persist(event)
    sale.cancel(bought[0].id)
    sale.persist(event)
    restore(sale.database, kept)
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    assert [sale.purchases.get(receipt.id).state for receipt in bought] == ["cancelled", "persisted", "persisted"]


def test_nobody_has_to_buy_before_it_is_recorded_again(sale: OneProcess) -> None:
    """Redis believes that SQL has everything. The cron looks, and so do the books."""
    sale = OneProcess.build(sale.redis_url, sale.database, keeping=LogKeeping())
    event = sale.open(plan=HALL)
    kept = backup(sale.database)
    receipt = sale.buy(event, "k")
    sale.persist(event)
    cron = upkeep(sale)
    restore(sale.database, kept)
    (finding,) = sale.check.reconcile(event)
    assert finding.what.endswith(f"but has acknowledged entries up to {receipt.id.position.seq}")
    cron.tick()
    assert sale.check.reconcile(event) == []
    assert sale.purchases.get(receipt.id).state == "persisted"


@pytest.mark.parametrize("prefer", ["redis", "sql"])
def test_sql_knows_less(sale: OneProcess, prefer: str) -> None:
    """SQL's history is the beginning of Redis's: nothing is lost, whichever is preferred."""
    event = sale.open(plan=HALL)
    first = sale.buy(event, "first", 2)
    sale.persist(event)
    kept = backup(sale.database)
    later = [sale.buy(event, f"k{number}", reference=f"R{number}") for number in range(2)]
    sale.seats.set(event, "B4", "sold", OPERATOR)
    sale.cancel(first.id)
    held = sale.hold(event, "B3")
    sale.persist(event)
    trim(sale, event)
    restore(sale.database, kept)
    sale.persist(event)
    assert sale.now(event).backlog.stopped
    selling_on = sale.buy(event, "selling on")
    healthy = sale.open(plan=HALL)
    with pytest.raises(NothingToMerge):
        sale.merge.run(healthy, "redis", OPERATOR)
    assert sale.buy(healthy, "not closed by that").quantity == 1
    merged = sale.merge.run(event, prefer, OPERATOR)
    assert (merged.taken_in, merged.waiting) == (3, [])
    assert sale.check.reconcile(event) == []
    assert sale.check.verify(event).broken is None
    assert sale.purchases.get(first.id).state == "cancelled"
    assert [sale.purchases.get(r.id).state for r in (*later, selling_on)] == ["persisted"] * 3
    assert [sale.purchases.get(r.id).personal.reference for r in later] == ["R0", "R1"]
    assert [sale.buy(event, f"k{number}", reference=f"R{number}") for number in range(2)] == later
    assert sale.buy_held(event, "from hold", held.token).runs == held.record.runs
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    assert sale.check.history(event, "B4")[-1].what == "sold at the box office"
    with pytest.raises(NothingToMerge):
        sale.merge.run(event, prefer, OPERATOR)


def test_a_new_database(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.buy(event, "k", 3)
    sale.persist(event)
    restore(sale.database, {})
    distrust(sale, event)
    sale.persist(event)
    with pytest.raises(InventoryUnavailable):
        sale.buy(event, "closed")
    sale.event_creation.ensure_demo(event)
    assert sale.now(event).counts.sold == 3
    sale.merge.run(event, "redis", OPERATOR)
    assert sale.buy(event, "k", 3) == receipt
    assert sale.check.reconcile(event) == []
    assert sale.now(event).counts.sold == 3
    assert sale.events.get(event).event.name == "Test"


@pytest.mark.parametrize("has_sql_the_event", [True, False])
def test_a_hall_whose_plan_redis_lacks(sale: OneProcess, has_sql_the_event: bool) -> None:
    event = sale.open(plan=HALL)
    sale.persist(event)
    kept = backup(sale.database) if has_sql_the_event else {}
    sale.buy(event, "k", 2)
    sale.persist(event)
    trim(sale, event)
    restore(sale.database, kept)
    sale.persist(event)
    sale.seats.set(event, "B4", "sold", OPERATOR)
    sale.calls.command("DEL", keys.plan(event))
    if not has_sql_the_event:
        with pytest.raises(InventoryUnavailable, match="neither Redis nor SQL has its seating plan"):
            sale.merge.run(event, "redis", OPERATOR)
        assert backup(sale.database)[ledger] == []
        return
    sale.merge.run(event, "redis", OPERATOR)
    assert sale.check.reconcile(event) == []
    assert sale.check.history(event, "B4")[-1].what == "sold at the box office"
    acts = sale.database.read(audit_record.page, None, 10, event, None)
    assert [one.act.target for one in acts if one.act.after == "sold"] == ["B4"]


@pytest.mark.parametrize("prefer", ["redis", "sql"])
def test_both_have_sold(sale: OneProcess, prefer: str) -> None:
    """SQL was restored, and another Redis sold from it: then the first Redis came back."""
    event = sale.open(plan=HALL)
    sale.persist(event)
    kept = backup(sale.database)
    in_redis = [sale.buy_seats(event, f"redis {seat}", seat) for seat in ("A1", "A2", "A3")]
    sale.cancel(in_redis[2].id)
    sale.persist(event)
    trim(sale, event)
    saved = _dump(sale, event)
    restore(sale.database, kept)
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    sale = sale.another()  # One that has seen no more than this Redis has.
    in_sql = [sale.buy_seats(event, f"sql {seat}", seat) for seat in ("A2", "A3", "B1")]
    sale.persist(event)
    _put_back(sale, event, saved)
    sale.persist(event)
    assert sale.now(event).backlog.stopped
    merged = sale.merge.run(event, prefer, OPERATOR)
    loser = in_sql[0] if prefer == "redis" else in_redis[1]
    assert [(waiting.receipt.id, waiting.reason) for waiting in merged.waiting] == [
        (loser.id, "seat A2 has another owner")
    ]
    standing = {str(r.id) for r in (*in_redis[:2], *in_sql)} - {str(loser.id)}
    assert {row.purchase_id for row in sale.rows(sold_seats, event)} == standing
    assert sale.purchases.get(loser.id).state == "quarantined"
    assert sale.purchases.get(in_redis[2].id).state == "cancelled"
    findings = [finding.what for finding in sale.check.reconcile(event)]
    assert findings == ["1 entries wait in quarantine"]
    with pytest.raises(SeatUnavailable):
        sale.buy_seats(event, "late", "A2")
    assert len(sale.rows(purchases, event)) == 5
    assert sale.check.verify(event).broken is None
    assert len({row.seq for row in sale.rows(ledger, event)}) == len(sale.rows(ledger, event))


def _dump(sale: OneProcess, event: str) -> dict[str, bytes]:
    found = {key: sale.calls.command("DUMP", key) for key in keys.all_of(event)}
    return {key: value for key, value in found.items() if value}


def _put_back(sale: OneProcess, event: str, saved: dict[str, bytes]) -> None:
    sale.calls.command("DEL", *keys.all_of(event))
    for key, value in saved.items():
        sale.calls.command("RESTORE", key, 0, value)
    distrust(sale, event)


def test_a_seat_of_the_box_office_that_was_bought(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    kept = backup(sale.database)
    for seat in ("A1", "A2", "A3"):
        sale.seats.set(event, seat, "sold", OPERATOR)
    sale.persist(event)
    saved = _dump(sale, event)
    restore(sale.database, kept)
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    sale = sale.another()  # One that has seen no more than this Redis has.
    bought = [sale.buy_seats(event, seat, seat) for seat in ("A1", "A2")]
    sale.persist(event)
    trim(sale, event)
    _put_back(sale, event, saved)
    sale.persist(event)
    sale.merge.run(event, "sql", OPERATOR)
    [waiting] = sale.quarantine.page(event, 0, 10).items
    assert waiting.error == "sold at the box office, but given to other buyers: A1, A2"
    assert [sale.purchases.get(receipt.id).state for receipt in bought] == ["persisted"] * 2
    assert sale.now(event).counts.sold == 3
    assert [finding.what for finding in sale.check.reconcile(event)] == ["1 entries wait in quarantine"]
    sale.quarantine.cancel(event, str(waiting.entry.position), OPERATOR)
    assert sale.check.reconcile(event) == []


def test_an_offer_that_is_not_kept_can_be_read(sale: OneProcess) -> None:
    event = open_hall(sale)
    sale.persist(event)
    kept = backup(sale.database)
    change(sale, event, Gold={"price": 7000})
    sale.persist(event)
    saved = _dump(sale, event)
    restore(sale.database, kept)
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    sale = sale.another()  # One that has seen no more than this Redis has.
    buy(sale, event, "k")
    sale.persist(event)
    trim(sale, event)
    _put_back(sale, event, saved)
    sale.persist(event)
    sale.merge.run(event, "sql", OPERATOR)
    [waiting] = sale.quarantine.page(event, 0, 10).items
    assert waiting.error == "the other history has this offer, which is not kept"
    offered = waiting.entry.read()
    assert isinstance(offered, OfferSet)
    assert offered.was
    assert (offered.offer.categories[0].price, offered.was.categories[0].price) == (7000, 5000)
    sale.quarantine.cancel(event, str(waiting.entry.position), OPERATOR)
    assert sale.check.reconcile(event) == []


def test_a_loss_beside_the_gap_of_a_merge(sale: OneProcess) -> None:
    """The entry `merged` stands beyond the purchases that it takes in: their seqs are not those of the term before."""
    event = sale.open(plan=HALL)
    kept = backup(sale.database)
    bought = [sale.buy(event, f"k{number}") for number in range(3)]
    sale.persist(event)
    trim(sale, event)
    saved = _dump(sale, event)
    sale.cancel(bought[0].id)
    sale.seats.set(event, "B4", "sold", OPERATOR)
    sale.persist(event)
    _put_back(sale, event, saved)
    restore(sale.database, kept)
    sale.merge.run(event, "redis", OPERATOR)
    sale.answered.flush()
    [loss] = sale.database.read(answered.losses, event)
    told = bought[-1].id.position
    assert (loss.first, loss.last) == (told._replace(seq=told.seq + 1), told._replace(seq=told.seq + 2))


def test_a_merge_during_a_failover_writes_to_the_server_it_has_read(begin: Begin) -> None:
    """Its connections were opened before the failover and after it: the old primary has what the new one lacks."""
    world = begin()
    operator = world.workers[1]
    world.buy(0, "both have it", Order(1))
    world.round(operator)
    world.pair.replicate()
    world.buy(0, "only the old primary has it", Order(1))
    world.round(operator)
    world.restore({})
    world.fail_over("sells on")
    with pytest.raises(InventoryUnavailable, match="another server"):
        operator.one.merge.run(world.event, "redis", OPERATOR)
    world.finish("redis")
