"""The limit of the sale, decided by the script that sells."""

from collections.abc import Callable

import pytest
import redis

from seating.domain import rate_policy
from seating.domain.errors import IdempotencyKeyReused, NotOnSale, NotTogether, RateLimited, SoldOut
from seating.domain.purchase import Order
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.redis_store.inventory import Inventory
from seating.redis_store.rate_limits import RateLimit
from tests.moved_clock import MovedClock
from tests.one_process import OPERATOR
from tests.processes import client, clock

__all__ = ["client", "clock"]

Open = Callable[..., str]


@pytest.fixture
def calls(redis_url: str, clock: MovedClock) -> DirectCalls:
    return DirectCalls(ScriptConnection(redis_url, clock.scripts))


@pytest.fixture
def event(opened: Open) -> str:
    """Nine seats of general admission."""
    return opened(capacity=9)


def _limit(text: str = "3/10s", caller: str = "192.0.2.1") -> RateLimit:
    policy = rate_policy.parse(text)
    assert policy
    return RateLimit(policy, caller)


@pytest.mark.parametrize("text", ["3/10s", "bucket:3,1/10s"])
def test_the_fourth_is_refused_until_that_instant(
    inventory: Inventory, event: str, clock: MovedClock, text: str
) -> None:
    for number in range(3):
        verdict = inventory.purchase(event, "shop", f"k{number}", Order(1), limit=_limit(text)).verdict
        assert verdict
        assert (verdict.passes, verdict.left[0].requests) == (True, 2 - number)
    with pytest.raises(RateLimited) as refused:
        inventory.purchase(event, "shop", "k3", Order(1), limit=_limit(text))
    assert refused.value.retry_after_s == 10
    assert inventory.purchase(event, "shop", "k3", Order(1), limit=_limit(text, "192.0.2.2")).receipt.left == 5
    clock.move(9_999)
    with pytest.raises(RateLimited):
        inventory.purchase(event, "shop", "k4", Order(1), limit=_limit(text))
    clock.move(1)
    assert inventory.purchase(event, "shop", "k4", Order(1), limit=_limit(text)).receipt.left == 4


def test_a_replay_is_never_refused_nor_counted(inventory: Inventory, event: str) -> None:
    first = inventory.purchase(event, "shop", "k", Order(1), limit=_limit("1/10s"))
    with pytest.raises(RateLimited):
        inventory.purchase(event, "shop", "other", Order(1), limit=_limit("1/10s"))
    for _ in range(20):
        again = inventory.purchase(event, "shop", "k", Order(1), limit=_limit("1/10s"))
        assert (again.replayed, again.receipt, again.verdict) == (True, first.receipt, None)
    with pytest.raises(IdempotencyKeyReused):
        inventory.purchase(event, "shop", "k", Order(2), limit=_limit("1/10s"))


def test_a_refused_purchase_changes_nothing(inventory: Inventory, event: str, client: "redis.Redis") -> None:
    inventory.purchase(event, "shop", "k", Order(1), limit=_limit("1/10s"))
    before = client.hgetall(keys.inventory(event)), client.xlen(keys.log(event))
    with pytest.raises(RateLimited):
        inventory.purchase(event, "shop", "other", Order(1), limit=_limit("1/10s"))
    assert (client.hgetall(keys.inventory(event)), client.xlen(keys.log(event))) == before


def test_what_is_refused_for_other_reasons_counts_and_says_what_is_left(
    inventory: Inventory, event: str, opened: Open
) -> None:
    hall = opened(plan=generate(GeneratedPlan(sections=1, rows=3, seatsPerRow=2)))
    closed = opened(capacity=9)
    inventory.set_state(closed, "closed", OPERATOR)
    for where, order, refusal in (
        (event, Order(10), SoldOut),
        (hall, Order(3, together=True), NotTogether),
        (closed, Order(1), NotOnSale),
    ):
        with pytest.raises(refusal) as refused:
            inventory.purchase(where, "shop", "k", order, limit=_limit())
        assert refused.value.verdict
        assert refused.value.verdict.left[0].requests == 2


def test_it_is_no_call_more(inventory: Inventory, event: str, client: "redis.Redis") -> None:
    client.config_resetstat()
    for number in range(9):
        inventory.purchase(event, "shop", f"k{number}", Order(1), limit=_limit("bucket:20000,600000/60s"))
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 9
