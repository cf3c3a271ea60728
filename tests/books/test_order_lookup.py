"""A shop finds its order by its own number, from the moment it was accepted on."""

import pytest
from sqlalchemy import Connection, text

from seating.domain.purchase import Order
from seating.domain.receipt import Receipt
from seating.services import purchase_lists
from tests.books.test_cancel import poison
from tests.books.test_cancel_part import HALL
from tests.one_process import OPERATOR, OneProcess


def found(sale: OneProcess, event: str, reference: str, caller: str | None = None) -> list[tuple[str, str]]:
    page = sale.purchase_lists.page(event, None, 10, reference, caller)
    return [(str(purchase.id), str(purchase.state)) for purchase in page.items]


def bought(sale: OneProcess, event: str, key: str, reference: str, caller: str = "shop") -> Receipt:
    return sale.order(event, key, Order(2, reference=reference), caller)


def test_before_and_after_it_is_recorded(sale: OneProcess) -> None:
    event = sale.open(capacity=100)
    first, other = bought(sale, event, "k1", "R1"), bought(sale, event, "k2", "R2")
    assert found(sale, event, "R1") == [(str(first.id), "accepted")]
    assert sale.purchase_lists.page(event, None, 10).items == []
    sale.persist(event)
    assert found(sale, event, "R1") == [(str(first.id), "persisted")]
    second = bought(sale, event, "k3", "R1", "another shop")
    assert found(sale, event, "R1") == [(str(second.id), "accepted"), (str(first.id), "persisted")]
    assert found(sale, event, "R1", "shop") == [(str(first.id), "persisted")]
    assert found(sale, event, "R1", "another shop") == [(str(second.id), "accepted")]
    sale.cancel(second.id)
    assert found(sale, event, "R1") == [(str(second.id), "cancelled"), (str(first.id), "persisted")]
    assert found(sale, event, "R2") == [(str(other.id), "persisted")]
    assert found(sale, event, "R") == []


def test_in_quarantine(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    reference = 'Ü-1 "%_\\'
    first = sale.order(event, "k1", Order(1, seats=("A1",), reference=reference))
    second = sale.order(event, "k2", Order(1, seats=("A2",), reference=reference), "another shop")
    sale.order(event, "k3", Order(1, seats=("A3",), reference="another"))
    poison(sale, event, "A2", "A3")
    sale.persist(event)
    assert found(sale, event, reference) == [(str(second.id), "quarantined"), (str(first.id), "persisted")]
    assert found(sale, event, reference, "shop") == [(str(first.id), "persisted")]
    assert found(sale, event, 'Ü-1 "x_\\') == []
    page = sale.purchase_lists.page(event, None, 1, reference)
    assert (page.items[0].seats, page.next) == (["A2"], second.id.position.seq)
    assert [one.id for one in sale.purchase_lists.page(event, page.next, 1, reference).items] == [first.id]
    sale.cancel(second.id)
    sale.persist(event)
    assert found(sale, event, reference) == [(str(second.id), "cancelled"), (str(first.id), "persisted")]


def test_in_pages(sale: OneProcess) -> None:
    event = sale.open(capacity=100)
    receipts = [bought(sale, event, f"k{number}", "R") for number in range(5)]
    sale.persist(event)
    receipts += [bought(sale, event, f"l{number}", "R") for number in range(5)]
    pages, cursor = [], None
    while True:
        page = sale.purchase_lists.page(event, cursor, 3, "R")
        pages.append([purchase.id for purchase in page.items])
        cursor = page.next
        if cursor is None:
            break
    assert [len(page) for page in pages] == [3, 3, 3, 1]
    assert [one for page in pages for one in page] == [receipt.id for receipt in reversed(receipts)]


def test_a_long_backlog_is_searched_from_its_end(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length is bounded by memory alone; a request's work is not to be."""
    monkeypatch.setattr(purchase_lists, "SEARCHED_ENTRIES", 5)
    event = sale.open(capacity=100)
    old = bought(sale, event, "old", "old")
    for number in range(5):
        bought(sale, event, f"k{number}", f"R{number}")
    assert found(sale, event, "R0") != []
    assert found(sale, event, "old") == []
    sale.persist(event)
    assert found(sale, event, "old") == [(str(old.id), "persisted")]


def test_an_index_serves_it(sale: OneProcess) -> None:
    event = sale.open(capacity=100)
    bought(sale, event, "k", "R")
    sale.persist(event)
    asked = {"event": event, "reference": "R"}
    query = "SELECT * FROM purchases WHERE event_id = :event AND reference = :reference ORDER BY entry_seq DESC"

    def explain(connection: Connection) -> str:
        if connection.dialect.name == "sqlite":
            return str(connection.execute(text(f"EXPLAIN QUERY PLAN {query}"), asked).all())
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # The table is too small for it to pay.
        return str(connection.execute(text(f"EXPLAIN {query}"), asked).all())

    assert "ix_purchases_reference" in sale.database.read(explain)


def test_of_an_archived_event(sale: OneProcess) -> None:
    event = sale.open(capacity=100)
    receipt = bought(sale, event, "k", "R1")
    sale.archive(event)
    assert found(sale, event, "R1") == [(str(receipt.id), "persisted")]
    assert sale.purchases.cancel(receipt.id, OPERATOR).state == "cancelled"
    assert found(sale, event, "R1") == [(str(receipt.id), "cancelled")]
