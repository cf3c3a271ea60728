"""How many seats a shop's buyer has: counted by the scripts, and known from receipts again."""

import pytest

from seating.domain.purchase import Order, buyer_hash
from seating.domain.receipt import Receipt
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from seating.storage.tables import ledger
from tests.one_process import OPERATOR, OneProcess
from tests.terms.backups import backup, restore, trim

HALL = SeatingPlan([[[f"A{number}" for number in range(20)]]])


def counted(sale: OneProcess, event: str) -> dict[str, int]:
    found = sale.calls.command("HGETALL", keys.buyers(event))
    return {name.decode(): int(seats) for name, seats in zip(found[::2], found[1::2], strict=True)}


def buy(sale: OneProcess, event: str, key: str, quantity: int, buyer: str | None, shop: str = "shop") -> Receipt:
    return sale.order(event, key, Order(quantity, buyer=buyer), shop)


@pytest.fixture(params=["seated", "general"])
def event(request: pytest.FixtureRequest, sale: OneProcess) -> str:
    return sale.open(plan=HALL) if request.param == "seated" else sale.open(capacity=20)


def test_what_is_bought_and_cancelled(sale: OneProcess, event: str) -> None:
    ada, bob, other = (buyer_hash(shop, buyer) for shop, buyer in (("shop", "ada"), ("shop", "bob"), ("other", "ada")))
    first = buy(sale, event, "k1", 3, "ada")
    buy(sale, event, "k1", 3, "ada")
    buy(sale, event, "k2", 2, "ada")
    second = buy(sale, event, "k3", 1, "bob")
    buy(sale, event, "k4", 4, None)
    buy(sale, event, "k5", 2, "ada", "other")
    assert counted(sale, event) == {ada: 5, bob: 1, other: 2}
    for _ in range(2):
        sale.cancel_part(first, 2)
        sale.cancel(second.id)
    expected = {ada: 3, other: 2}
    assert counted(sale, event) == expected
    sale.persist(event)
    sale.cancel_part(first, 3)
    expected[ada] = 2
    assert counted(sale, event) == expected
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    assert counted(sale, event) == expected
    sale.calls.command("HSET", keys.buyers(event), ada, "gibberish")
    assert [finding.what for finding in sale.check.reconcile(event)] == [
        f"seats of buyer {ada} is 'gibberish' but should be '2'"
    ]
    assert buy(sale, event, "k6", 1, "ada").quantity == 1


@pytest.mark.parametrize("prefer", ["redis", "sql"])
def test_a_merge_counts_them(sale: OneProcess, event: str, prefer: str) -> None:
    sale.persist(event)
    kept = backup(sale.database)
    receipt = buy(sale, event, "k", 3, "ada")
    sale.cancel_part(receipt, 1)
    sale.persist(event)
    trim(sale, event)
    restore(sale.database, kept)
    sale.persist(event)
    sale.merge.run(event, prefer, OPERATOR)
    assert counted(sale, event) == {buyer_hash("shop", "ada"): 2}
    assert sale.check.reconcile(event) == []


def test_sold_again_they_count(sale: OneProcess, event: str) -> None:
    sale.persist(event)
    receipt = buy(sale, event, "k", 3, "ada")
    sale.answered.flush()
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    sale.answered.flush()
    assert counted(sale, event) == {}
    sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    assert counted(sale, event) == {buyer_hash("shop", "ada"): 3}
    sale.persist(event)
    assert sale.check.reconcile(event) == []


def test_the_chain_has_no_hash_of_a_buyer(sale: OneProcess, event: str) -> None:
    buy(sale, event, "k", 3, "ada")
    sale.persist(event)
    assert not [row for row in sale.rows(ledger, event) if buyer_hash("shop", "ada") in row.change]
