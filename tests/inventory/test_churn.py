"""Holds that are taken and given back, each with a key of its own, leave nothing, and stop no sale meanwhile.

`SEATING_CHURN_HOLDS` is how many there are.
"""

import os
from typing import Any

import pytest

from seating.domain.errors import HoldExpired
from seating.domain.purchase import Order
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.holds import HoldLimits, HoldStore
from seating.services.holds import Holds
from tests.one_process import OneProcess, on_sqlite
from tests.persistence.test_archive import upkeep
from tests.servers import wait_until

pytestmark = on_sqlite  # What is tested here is the same over each database.

HOLDS = int(os.environ.get("SEATING_CHURN_HOLDS", "600"))
HALL = generate(GeneratedPlan(sections=10, rows=20, seatsPerRow=25))
LIMITS = HoldLimits(
    ttl_s=1,
    max_s=2 if HOLDS < 2_000 else 120,
    extend_step_s=1,
    max_seats=20,
    max_seats_of_shop=20,
    max_seats_of_buyer=20,
)
SALE_EVERY = 100


@pytest.mark.timeout(max(120, HOLDS // 20))
def test_leave_nothing_and_stop_no_sale(sale: OneProcess) -> None:
    event, order = sale.open(plan=HALL), Order(2)
    store = HoldStore(sale.calls, LIMITS, backlog_max_entries=1_000, backlog_memory_percent=90)
    holds = Holds(store, sale.names, sale.holds.changes, sale.offers)
    for number in range(HOLDS):
        if number % SALE_EVERY == 0:
            sale.buy(event, f"sale {number}")
            sale.persist(event)
        held = holds.hold(event, "anonymous", "address", f"key {number}", order)
        holds.release(event, held.token)
    with pytest.raises(HoldExpired):
        holds.hold(event, "anonymous", "address", f"key {HOLDS - 1}", order)
    notes = sum(sale.calls.command("HSTRLEN", keys.notes(event), name) for name in first_characters(sale, event)) // 35
    assert 0 < notes <= HOLDS
    if notes > 500:
        assert sale.calls.command("MEMORY", "USAGE", keys.notes(event), "SAMPLES", 0) <= 48 * notes

    tending = upkeep(sale)

    def swept() -> bool:
        tending.tick()
        return not sale.calls.command("EXISTS", keys.notes(event))

    wait_until(swept, LIMITS.max_s + 60, "the notes to go")
    assert len(sale.calls.command("HKEYS", keys.idempotency(event))) == -(-HOLDS // SALE_EVERY)
    assert sale.calls.command("EXISTS", keys.hold(event), keys.holds(event), keys.holders(event)) == 0
    assert sale.now(event).counts.held == 0
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    assert not holds.hold(event, "anonymous", "address", "key 0", order).replayed


def first_characters(sale: OneProcess, event: str) -> Any:
    return sale.calls.command("HKEYS", keys.notes(event))
