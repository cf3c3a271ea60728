"""An archive that was interrupted is taken up again."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from seating.domain.errors import NotOnSale
from seating.redis_store import keys
from seating.redis_store.connection import plain_client
from seating.redis_store.open_events import OpenEvents
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.retries import Retries
from seating.redis_store.upkeep_reports import UpkeepReports
from seating.services.upkeep import KEPT_CLOSED_MS, Upkeep
from seating.storage import events
from tests.frozen_clock import CLOCK, NOON_MS
from tests.one_process import OPERATOR, OneProcess


def upkeep(sale: OneProcess) -> Upkeep:
    """Its queue takes nothing, so that it persists by itself after a few ticks."""
    queue = PersistQueue(plain_client(sale.redis_url), max_waiting=0)
    return Upkeep(
        sale.database,
        sale.inventory,
        OpenEvents(sale.calls),
        sale.holds.store,
        queue,
        Retries(sale.calls),
        sale.persistence,
        caches=[],
        reports=UpkeepReports(sale.calls),
    )


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
