"""`Prefer: wait` says that SQL has a purchase only when SQL has it."""

import threading

from seating.domain.seating_plan import GeneratedPlan, generate
from tests.books.test_cancel import poison
from tests.one_process import OneProcess

HALL = generate(GeneratedPlan(sections=1, rows=1, seatsPerRow=4))


def test_says_so_once_sql_has_it(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.buy(event, "k")
    assert not sale.purchases.watch.wait(receipt.id, 0.1)
    worker = threading.Timer(0.1, sale.another().persist, [event])
    worker.start()
    assert sale.purchases.watch.wait(receipt.id, 20)
    worker.join()


def test_not_of_what_went_to_quarantine(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipt = sale.buy(event, "k")
    poison(sale, event, HALL.seats_of(receipt.runs)[0])
    sale.persist(event)
    assert not sale.purchases.watch.wait(receipt.id, 20)


def test_not_of_what_a_rebuild_lost(sale: OneProcess) -> None:
    """The new epoch's log passes the old position, and that says nothing."""
    event = sale.open(plan=HALL)
    receipt = sale.buy(event, "k")
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    sale.buy(event, "k2")
    sale.persist(event)
    assert sale.now(event).backlog.persisted >= receipt.id.position.seq
    assert not sale.purchases.watch.wait(receipt.id, 20)
