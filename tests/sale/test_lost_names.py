"""What an event has is not denied while Redis has lost it: its seats and categories come back."""

import pytest

from seating.domain.errors import EventNotFound, InventoryUnavailable, SeatNotFound
from seating.redis_store.inventory import Inventory
from seating.redis_store.inventory_snapshot import Snapshot
from tests.offers import buy, open_hall
from tests.one_process import OneProcess, on_sqlite

pytestmark = on_sqlite


@pytest.fixture
def event(sale: OneProcess) -> str:
    """On record, and known to no other process."""
    event = open_hall(sale)
    sale.persist(event)
    return event


def test_a_category_exists_while_redis_is_empty(sale: OneProcess, event: str) -> None:
    fresh = sale.another()
    assert fresh.seats.names.plan(event)
    sale.calls.command("FLUSHALL")
    with pytest.raises(InventoryUnavailable):
        buy(fresh, event, "k", category="Silver")


@pytest.fixture
def rebuilt_between_two_reads(sale: OneProcess, event: str, monkeypatch: pytest.MonkeyPatch) -> OneProcess:
    """A process that looks for the inventory when a rebuild has just ended, and looked for the rest before it."""
    fresh, read = sale.another(), Inventory.read
    sale.calls.command("FLUSHALL")

    def rebuild_first(inventory: Inventory, event_id: str) -> Snapshot | None:
        if inventory is fresh.inventory:
            sale.persist(event)
        return read(inventory, event_id)

    monkeypatch.setattr(Inventory, "read", rebuild_first)
    return fresh


def test_seats_exist_that_were_rebuilt_between_two_reads(rebuilt_between_two_reads: OneProcess, event: str) -> None:
    assert rebuilt_between_two_reads.seats.names.runs(event, ["Silver-A-1"])
    with pytest.raises(SeatNotFound):
        rebuilt_between_two_reads.seats.names.runs(event, ["Silver-Z-1"])


def test_categories_exist_that_were_rebuilt_between_two_reads(
    rebuilt_between_two_reads: OneProcess, event: str
) -> None:
    assert rebuilt_between_two_reads.seats.offers.has_categories(event)


def test_an_event_that_does_not_exist_has_no_seats(sale: OneProcess) -> None:
    with pytest.raises(EventNotFound):
        sale.seats.names.runs("nowhere", ["Silver-A-1"])
