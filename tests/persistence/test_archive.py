"""An archive that was interrupted is taken up again."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from seating.domain.errors import EventNotFound, NotOnSale, PlanNotFound
from seating.domain.seating_plan import GeneratedPlan, SeatingPlan, generate
from seating.redis_store import keys
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.plain_client import plain_client
from seating.services.plan_documents import PlanDocuments
from seating.services.upkeep import KEPT_CLOSED_MS, Upkeep
from seating.storage import events, tables
from seating.storage.database import in_this_thread
from tests.frozen_clock import CLOCK, NOON_MS
from tests.one_process import OPERATOR, OneProcess
from tests.terms.backups import backup, restore


def upkeep(sale: OneProcess) -> Upkeep:
    """Its queue takes nothing, so that it persists by itself after a few ticks."""
    return sale.upkeep(PersistQueue(plain_client(sale.redis_url), max_waiting=0))


def in_sql(sale: OneProcess, event: str) -> None:
    sale.database.write(events.set_archived, event)


def in_redis(sale: OneProcess, event: str) -> None:
    """All but the last step."""
    in_sql(sale, event)
    sale.calls.command("UNLINK", *keys.all_of(event))


@pytest.mark.parametrize("interrupted", [in_sql, in_redis])
def test_it_is_taken_up_again(moved: OneProcess, interrupted: Callable[[OneProcess, str], None]) -> None:
    event, other = moved.open(capacity=9), moved.open(capacity=9)
    moved.inventory.set_state(event, "closed", OPERATOR)
    moved.persist(event)
    moved.calls.command("SET", CLOCK, NOON_MS + KEPT_CLOSED_MS)
    interrupted(moved, event)
    tending = upkeep(moved)
    with capture_logs() as lines:
        for _ in range(8):
            tending.tick()
    assert [line for line in lines if line["log_level"] == "error"] == []
    assert moved.inventory.read(event) is None
    assert moved.inventory.read(other) is not None
    with pytest.raises(NotOnSale):
        moved.buy(event, "k")


def test_a_database_from_before_it_was_archived_catches_up(moved: OneProcess) -> None:
    """It was copied after the event was closed and recorded: it has all, except that the event is archived."""
    event = moved.open(capacity=9)
    receipt = moved.buy(event, "k", 2)
    moved.events.set_state(event, "closed", OPERATOR)
    moved.persist(event)
    older = backup(moved.database)
    moved.calls.command("SET", CLOCK, NOON_MS + KEPT_CLOSED_MS)
    upkeep(moved).tick()
    restore(moved.database, older)
    tending = upkeep(moved)
    with capture_logs() as lines:
        for _ in range(8):
            tending.tick()
    assert [line for line in lines if line["log_level"] == "error"] == []
    (kept,) = moved.database.read(lambda connection: connection.execute(select(tables.events)).all())
    assert (kept.archived, kept.archived_ms is not None) == (True, True)
    assert moved.cancel(receipt.id) == "cancelled"


HALL = generate(GeneratedPlan(sections=2, rows=10, seatsPerRow=20))


def test_a_page_of_purchases_costs_one_look_at_the_plan(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event, empty = sale.open(plan=HALL), sale.open(capacity=9)
    receipts = [sale.buy(event, f"k{number}", 3) for number in range(40)]
    sale.cancel_part(receipts[7], 2)
    for each in (event, empty):
        sale.archive(each)
    fresh = OneProcess.build(sale.redis_url, sale.database)
    unpacked: list[bytes] = []
    unpack = SeatingPlan.unpack
    monkeypatch.setattr(SeatingPlan, "unpack", lambda packed: unpacked.append(packed) or unpack(packed))
    client = plain_client(sale.redis_url)
    fresh.purchase_lists.page(event, None, 1)
    client.config_resetstat()
    listed = fresh.purchase_lists.page(event, None, 40).items
    asked = {name: stat["calls"] for name, stat in client.info("commandstats").items() if name != "cmdstat_info"}
    assert len(unpacked) == 1
    assert asked.get("cmdstat_get", 0) + asked.get("cmdstat_hmget", 0) == 2
    assert [purchase.seats for purchase in listed] == [HALL.seats_of(receipt.runs) for receipt in reversed(receipts)]
    assert [len(purchase.cancelled_seats) for purchase in listed].count(2) == 1
    assert fresh.purchase_lists.page(empty, None, 40).items == []
    assert fresh.purchase_lists.page(event, None, 40, "no such reference").items == []
    with pytest.raises(EventNotFound):
        fresh.purchase_lists.page("nowhere", None, 40)


def test_its_plan_can_be_read(sale: OneProcess) -> None:
    event, general = sale.open(plan=HALL), sale.open(capacity=9)
    pages = PlanDocuments(sale.seats.names, in_this_thread)
    before = pages.of(event)
    for each in (event, general):
        sale.archive(each)
    assert PlanDocuments(sale.seats.names, in_this_thread).of(event).body == before.body
    with pytest.raises(PlanNotFound):
        PlanDocuments(sale.seats.names, in_this_thread).of(general)
