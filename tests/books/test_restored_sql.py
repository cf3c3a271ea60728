"""SQL comes back from a backup that is older than what Redis has, and than the log reaches back."""

import pytest

from seating.domain.errors import InventoryUnavailable
from seating.domain.position import Position
from seating.domain.recovery_errors import RebuildRefused
from seating.storage.tables import ledger, purchases, quarantine, sold_seats
from tests.one_process import OPERATOR, OneProcess
from tests.terms.test_merge import HALL, backup, distrust, restore


def test_no_position_comes_to_mean_two_things(sale: OneProcess) -> None:
    """Redis is two terms ahead of the backup, and has sales that only it knows. Nothing of it is given up."""
    event = sale.open(plan=HALL)
    kept = sale.buy(event, "kept")
    sale.persist(event)
    older = backup(sale.database)
    for _ in range(2):
        sale.rebuild.run(event, "asked for", claimable="recorded")
        sale.persist(event)
    later = [sale.buy(event, f"k{number}") for number in range(4)]
    sale.persist(event)
    restore(sale.database, older)
    sale.persist(event)
    assert sale.now(event).counts.sold == 5
    assert sale.now(event).backlog.stopped
    # Its term goes on: so do the sales, which nobody calls recorded.
    selling_on = sale.buy(event, "selling on")
    assert selling_on.id.position > later[-1].id.position
    sale.persist(event)
    for receipt in (*later, selling_on):
        assert not sale.purchases.watch.wait(receipt.id, 0)
    (finding,) = [found for found in sale.check.reconcile(event) if "merge" in found.advice]
    assert "rebuild" not in finding.advice

    sale.merge.run(event, "redis", OPERATOR)
    everything = [kept, *later, selling_on]
    assert {row.seat_id: row.purchase_id for row in sale.rows(sold_seats, event)} == {
        seat: str(receipt.id) for receipt in everything for seat in HALL.seats_of(receipt.runs)
    }
    new = sale.buy(event, "new")
    sale.persist(event)
    assert sale.buy(event, "kept") == kept
    told = [Position(row.epoch, row.seq) for row in sale.rows(purchases, event)]
    assert sorted(told) == sorted(receipt.id.position for receipt in (*everything, new))
    assert len({row.seq for row in sale.rows(ledger, event)}) == len(sale.rows(ledger, event))
    assert sale.rows(quarantine, event) == []
    assert sale.check.verify(event).broken is None
    assert sale.check.reconcile(event) == []


@pytest.mark.parametrize("restarted", [False, True])
def test_nothing_is_wiped_or_begun_over_sales_that_sql_lacks(sale: OneProcess, restarted: bool) -> None:
    """Not by persistence, not by an operator's rebuild; and a Redis that was restarted stays closed."""
    event = sale.open(plan=HALL)
    sale.buy(event, "first")
    sale.persist(event)
    older = backup(sale.database)
    bought = [sale.buy(event, f"k{number}") for number in range(5)]
    sale.persist(event)
    restore(sale.database, older)
    if restarted:
        distrust(sale, event)
    sale.persist(event)
    for process in (sale, sale.another()):
        with pytest.raises(RebuildRefused, match="SQL lacks the entry"):
            process.rebuild.run(event, "asked for", claimable="recorded")
        process.persist(event)
    if restarted:
        with pytest.raises(InventoryUnavailable):
            sale.buy(event, "new")
    else:
        assert sale.buy(event, "new").left == 1
    assert sale.now(event).counts.sold == (6 if restarted else 7)
    sale.merge.run(event, "redis", OPERATOR)
    assert [sale.buy(event, f"k{number}") for number in range(5)] == bought
    assert sale.check.reconcile(event) == []


def test_an_event_that_the_backup_does_not_have(sale: OneProcess) -> None:
    older = backup(sale.database)
    event = sale.open(plan=HALL)
    first = sale.buy(event, "first")
    sale.persist(event)
    restore(sale.database, older)
    second = sale.buy(event, "k")
    sale.persist(event)
    assert event in sale.check.event_ids()
    (finding,) = sale.check.reconcile(event)
    assert finding.what == "Redis has sales of it, but SQL has no record of it"
    distrust(sale, event)
    sale.persist(event)
    with pytest.raises(InventoryUnavailable):
        sale.buy(event, "closed")
    sale.merge.run(event, "redis", OPERATOR)
    assert [sale.buy(event, key) for key in ("first", "k")] == [first, second]
    assert sale.check.reconcile(event) == []
