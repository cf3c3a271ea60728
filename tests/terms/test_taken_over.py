"""Data of versions without terms: the first round takes an event over, and nobody notices but for a moment's 503."""

import pytest

from seating.domain.errors import InventoryUnavailable
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from tests.one_process import OneProcess

_HALL = SeatingPlan([[["A1", "A2", "A3", "A4"], ["B1", "B2", "B3", "B4"]]])


def _write_as_before_terms(sale: OneProcess, event: str) -> None:
    """A server was its run_id alone; cancellations and quarantine were sets; receipts had seven fields."""
    command = sale.calls.command
    run_id = sale.calls.command("INFO", "server").decode().partition("run_id:")[2].partition("\r")[0]
    command("HSET", keys.inventory(event), "server", run_id)
    command("HDEL", keys.inventory(event), "acknowledged", "database", "name", "seen")
    command("DEL", keys.cancelled(event), keys.terms(event))
    command("SADD", keys.cancelled(event), "4")
    command("SADD", keys.quarantined_before_terms(event), "9")
    receipts = command("HGETALL", keys.idempotency(event))
    for field, record in zip(receipts[::2], receipts[1::2], strict=True):
        command("HSET", keys.idempotency(event), field, b"|".join(record.split(b"|")[:7]))


def test_an_event_is_taken_over(sale: OneProcess) -> None:
    event = sale.open(plan=_HALL)
    kept = sale.buy(event, "kept", 2)
    cancelled = sale.buy(event, "cancelled")
    sale.cancel(cancelled.id)
    held = sale.hold(event, "B4")
    sale.persist(event)
    behind = sale.buy(event, "behind")
    _write_as_before_terms(sale, event)
    with pytest.raises(InventoryUnavailable):
        sale.buy(event, "before the first round")
    sale.persist(event)
    assert [sale.buy(event, key, n) for key, n in (("kept", 2), ("cancelled", 1), ("behind", 1))] == [
        kept,
        cancelled,
        behind,
    ]
    assert sale.buy_held(event, "from the hold", held.token).runs == held.record.runs
    assert sale.purchases.get(cancelled.id).state == "cancelled"
    assert sale.calls.command("EXISTS", keys.quarantined_before_terms(event)) == 0
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    assert sale.check.verify(event).broken is None
