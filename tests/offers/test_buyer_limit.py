"""How many seats one buyer of a shop may have: decided by the script, counted back by what is cancelled."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

from seating import redis_store
from seating.domain.errors import BuyerLimit, InvalidRequest
from seating.domain.offer import Offer
from seating.domain.purchase import Order, buyer_hash
from seating.domain.receipt import Receipt
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import Scripts
from seating.redis_store.inventory import Inventory
from tests.frozen_clock import CLOCK_LUA
from tests.offers.test_opening import bound
from tests.one_process import OPERATOR, OneProcess, on_sqlite
from tests.processes import client, process

__all__ = ["client", "process"]

pytestmark = on_sqlite  # The script decides, by what is in Redis.

FOUR = Offer(max_per_buyer=4)


@pytest.fixture
def event(sale: OneProcess) -> str:
    return sale.event_creation.create("Test", 100, None, OPERATOR, FOUR).event.id


def buy(
    sale: OneProcess, event: str, key: str, quantity: int, buyer: str | None = "ada", shop: str = "shop"
) -> Receipt:
    return sale.order(event, key, Order(quantity, buyer=buyer), shop)


def refused(ask: Callable[[], object]) -> dict[str, Any]:
    with pytest.raises(BuyerLimit) as error:
        ask()
    return error.value.facts


def test_what_a_buyer_may_have(sale: OneProcess, event: str) -> None:
    first = buy(sale, event, "k1", 3)
    assert refused(lambda: buy(sale, event, "k2", 2)) == {"left": 1}
    assert buy(sale, event, "k1", 3) == first
    buy(sale, event, "k2", 1)
    assert refused(lambda: buy(sale, event, "k3", 1)) == {"left": 0}
    buy(sale, event, "k4", 4, "bob")
    buy(sale, event, "k5", 4, "ada", "another shop")
    for ask in (lambda: buy(sale, event, "k6", 1, None), lambda: sale.buy(event, "k6")):
        with pytest.raises(InvalidRequest) as error:
            ask()
        assert error.value.facts == {"field": "buyer"}
    bound(sale, event, max_per_buyer=None)
    sale.buy(event, "k6")
    buy(sale, event, "k7", 5)
    bound(sale, event, max_per_buyer=2)
    assert refused(lambda: buy(sale, event, "k8", 1)) == {"left": 0}


def test_of_a_hold(sale: OneProcess, event: str) -> None:
    held = sale.hold(event, quantity=3).token
    buy(sale, event, "k1", 2)
    assert refused(lambda: sale.order(event, "k2", Order(0, hold_token=held, buyer="ada"), "shop")) == {"left": 2}
    sale.order(event, "k3", Order(0, hold_token=held, buyer="bob"), "shop")


def hold(sale: OneProcess, event: str, quantity: int, buyer: str | None = "ada", shop: str = "shop") -> str:
    order = Order(quantity, buyer=buyer)
    return sale.holds.hold(event, shop, shop, None, order, is_shop=True).token


def test_a_hold_is_refused_early(sale: OneProcess, event: str) -> None:
    """Nobody is to pay for seats that cannot be bought then; what the buyer holds counts too."""
    first = buy(sale, event, "k1", 1)
    token = hold(sale, event, 2)
    assert refused(lambda: hold(sale, event, 2)) == {"left": 1}
    for buyer, shop in (("bob", "shop"), ("ada", "another shop"), (None, "shop")):
        hold(sale, event, 4, buyer, shop)
    sale.order(event, "k2", Order(0, hold_token=token, buyer="ada"), "shop")
    assert refused(lambda: hold(sale, event, 2)) == {"left": 1}
    sale.cancel_part(first, 1)
    sale.holds.release(event, hold(sale, event, 2))
    hold(sale, event, 2)
    assert refused(lambda: hold(sale, event, 1)) == {"left": 0}


def test_a_hold_grows_up_to_the_limit(sale: OneProcess) -> None:
    plan = SeatingPlan([[["A1", "A2", "A3", "A4", "A5"]]])
    event = sale.event_creation.create("Hall", 5, plan, OPERATOR, Offer(max_per_buyer=3)).event.id
    buy(sale, event, "k1", 1)
    held = sale.holds.hold(event, "shop", "shop", None, Order(1, buyer="ada"), is_shop=True)
    free = [seat for seat, status in sale.statuses(event).items() if status == "available"]
    assert refused(lambda: sale.holds.change(event, held.token, free[:2], [])) == {"left": 1}
    assert len(sale.holds.change(event, held.token, free[:2], held.seats).seats) == 2


@pytest.mark.parametrize("way", ["none", "rebuild", "lost"])
def test_what_is_cancelled_counts_back(sale: OneProcess, event: str, way: str) -> None:
    """Also of a rebuilt inventory, which knows the seats of each buyer from the ledger."""
    first, second = buy(sale, event, "k1", 3), buy(sale, event, "k2", 1)
    sale.cancel_part(first, 2)
    sale.persist(event)
    if way == "lost":
        sale.calls.command("DEL", *keys.all_of(event))
    elif way == "rebuild":
        sale.rebuild.run(event, "a drill", claimable="any")
    sale.persist(event)
    assert refused(lambda: buy(sale, event, "k3", 3)) == {"left": 2}
    sale.cancel(second.id)
    buy(sale, event, "k3", 3)
    assert refused(lambda: buy(sale, event, "k4", 1)) == {"left": 0}
    sale.persist(event)
    assert sale.check.reconcile(event) == []


def _bought_at_once(calls: AutoPipeline, event: str) -> int:
    """How many of 50 requests of one buyer, all under way together, got a seat."""
    inventory = Inventory(calls, backlog_max_entries=100_000, backlog_memory_percent=90)

    def one(number: int) -> int:
        try:
            inventory.purchase(event, "shop", f"{number:022}", Order(1, buyer="ada"))
        except BuyerLimit:
            return 0
        return 1

    crowd = [gevent.spawn(one, number) for number in range(50)]
    gevent.joinall(crowd, timeout=60, raise_error=True)
    return sum(request.get() for request in crowd)


def test_a_buyer_who_asks_many_times_at_once(
    sale: OneProcess, event: str, process: Callable[..., AutoPipeline]
) -> None:
    assert _bought_at_once(process(), event) == 4
    assert sale.calls.command("HGETALL", keys.buyers(event)) == [buyer_hash("shop", "ada").encode(), b"4"]


def test_a_process_that_had_looked_before_would_sell_more(
    sale: OneProcess, event: str, process: Callable[..., AutoPipeline]
) -> None:
    """The twin without the rule: each request sees none bought, as all of them do that look before the first sale."""
    body = (Path(redis_store.__file__).parent / "lua" / "buyers.lua").read_text()
    count = "redis.call('HGET', key, buyer)"
    assert body.count(count) == 1
    calls = process(Scripts({"clock": CLOCK_LUA, "buyers": body.replace(count, "''")}))
    assert _bought_at_once(calls, event) > 4
