"""While memory is short nobody adds to the log, whatever else is appended to it."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from seating.domain.errors import BacklogFull
from seating.domain.purchase import Order
from seating.redis_store.connection import DirectCalls
from seating.redis_store.holds import HoldLimits, HoldStore
from seating.redis_store.inventory import Inventory
from tests.one_process import OPERATOR

LOOK_EVERY = 64
LIMITS = HoldLimits(ttl_s=600, max_s=600, extend_step_s=1, max_seats=20, max_seats_of_shop=20, max_seats_of_buyer=20)


def at_most(calls: DirectCalls, percent: int) -> Inventory:
    return Inventory(calls, backlog_max_entries=100_000, backlog_memory_percent=percent)


def buy(inventory: Inventory, event: str, key: str) -> int:
    return inventory.purchase(event, "shop", key, Order(1)).receipt.id.position.seq


def buy_until_refused(inventory: Inventory, event: str) -> int:
    """The last seq."""
    last = 0
    with suppress(BacklogFull):
        for number in range(2 * LOOK_EVERY):
            last = buy(inventory, event, f"late {number}")
    return last


def test_the_refusal_holds_until_there_is_room(calls: DirectCalls, opened: Callable[..., str]) -> None:
    event = opened(capacity=1000)
    room, short = at_most(calls, 100), at_most(calls, 0)
    holds = HoldStore(calls, LIMITS, backlog_max_entries=100_000, backlog_memory_percent=100)
    holds.hold(event, "token", {"holder": 20}, Order(1), ())
    first = buy(room, event, "first")
    last = buy_until_refused(short, event)
    assert last - first < LOOK_EVERY
    for state in ("paused", "on_sale"):
        short.set_state(event, state, OPERATOR)
    with pytest.raises(BacklogFull):
        buy(short, event, "after a pause")
    holds.release(event, "token")
    with pytest.raises(BacklogFull):
        buy(short, event, "after a hold")
    assert buy(room, event, "last") > last
