"""`Prefer: wait` says that SQL has a purchase only when SQL has it."""

import threading
from collections.abc import Sequence

import gevent
import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DataError

from seating.domain.errors import RecordUnavailable
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.storage import purchases
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
    assert not sale.purchases.watch.wait(receipt.id, 1)


def test_many_who_wait_share_the_questions_to_sql(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event = sale.open(capacity=100)
    receipts = [sale.buy(event, f"k{number}") for number in range(50)]
    sale.persist(event)
    questions: list[int] = []
    recorded = purchases.recorded

    def count(connection: Connection, ids: Sequence[str]) -> object:
        questions.append(len(ids))
        gevent.sleep(0.01)
        return recorded(connection, ids)

    monkeypatch.setattr(purchases, "recorded", count)
    waiting = [gevent.spawn(sale.purchases.watch.wait, receipt.id, 20) for receipt in receipts]
    gevent.joinall(waiting)
    assert all(one.value for one in waiting)
    assert len(questions) < 5


def test_two_who_wait_for_one_purchase_both_hear_of_it(sale: OneProcess) -> None:
    """As a buyer does who repeats the request while the first one waits."""
    event = sale.open(capacity=5)
    receipt = sale.buy(event, "k")
    hasty = gevent.spawn(sale.purchases.watch.wait, receipt.id, 0.1)
    patient = gevent.spawn(sale.purchases.watch.wait, receipt.id, 20)
    assert not hasty.get()
    sale.another().persist(event)
    assert patient.get()


def test_sql_that_is_away_is_asked_again(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event = sale.open(capacity=5)
    receipt = sale.buy(event, "k")
    sale.persist(event)
    asked = 0
    recorded = purchases.recorded

    def away_twice(connection: Connection, ids: Sequence[str]) -> object:
        nonlocal asked
        asked += 1
        if asked <= 2:
            raise RecordUnavailable
        return recorded(connection, ids)

    monkeypatch.setattr(purchases, "recorded", away_twice)
    assert not sale.purchases.watch.wait(receipt.id, 0.01)
    assert sale.purchases.watch.wait(receipt.id, 20)


def test_all_who_wait_hear_that_sql_refuses(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event = sale.open(capacity=5)
    receipt = sale.buy(event, "k")
    recorded = purchases.recorded

    def refuse(_connection: Connection, ids: Sequence[str]) -> object:
        raise DataError("SELECT", {}, ValueError(len(ids)))

    monkeypatch.setattr(purchases, "recorded", refuse)
    waiting = [gevent.spawn(sale.purchases.watch.wait, receipt.id, 600) for _ in range(3)]
    gevent.joinall(waiting, timeout=60)
    assert [one.value for one in waiting] == [False] * 3
    monkeypatch.setattr(purchases, "recorded", recorded)
    sale.persist(event)
    assert sale.purchases.watch.wait(receipt.id, 20)


def test_not_of_what_a_rebuild_lost(sale: OneProcess) -> None:
    """The new epoch's log passes the old position, and that says nothing."""
    event = sale.open(plan=HALL)
    receipt = sale.buy(event, "k")
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    sale.buy(event, "k2")
    sale.persist(event)
    assert sale.now(event).backlog.persisted >= receipt.id.position.seq
    assert not sale.purchases.watch.wait(receipt.id, 1)
