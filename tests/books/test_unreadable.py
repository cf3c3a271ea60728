"""A later version wrote to the log: what this one does not know is passed by, or stops it; no seat is sold twice."""

import pytest
from structlog.testing import capture_logs

from seating.domain.errors import SoldOut
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.recovery_errors import Overtaken, RebuildRefused
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.calls import Scripts
from seating.services import seat_history
from seating.storage.tables import ledger, quarantine, sold_seats
from tests.one_process import OneProcess

HALL = generate(GeneratedPlan(sections=1, rows=1, seatsPerRow=4))
_KNOWN = "change_json('purchased', told_at, '"


def _later(sale: OneProcess, kind: str, member: str = "") -> OneProcess:
    """A process of a version whose purchases are of `kind` and have one more `member`."""
    source = Scripts().sources["purchase"]
    assert _KNOWN in source
    return OneProcess.build(
        sale.redis_url,
        sale.database,
        Scripts(replaced={"purchase": source.replace(_KNOWN, f"change_json('{kind}', told_at, '{member}")}),
    )


def test_a_field_that_is_not_known_is_passed_by(sale: OneProcess) -> None:
    """As in a rolling deployment: recorded to the letter, rebuilt from, and none of its seats sold again."""
    event = sale.open(plan=HALL)
    receipts = [sale.buy(event, "k1"), _later(sale, "purchased", '"gift":true,').buy(event, "k2", 2)]
    sale.persist(event)
    assert sale.rows(quarantine, event) == []
    assert '"gift":true' in sale.rows(ledger, event)[-1].change
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    assert sale.now(event).counts.sold == 3
    assert [sale.buy(event, "k1"), sale.buy(event, "k2", 2)] == receipts
    sale.buy(event, "k3")
    with pytest.raises(SoldOut):
        sale.buy(event, "k4")
    sale.persist(event)
    assert len(sale.rows(sold_seats, event)) == 4
    assert sale.check.reconcile(event) == []


def test_a_field_that_is_not_known_survives_a_fork(sale: OneProcess) -> None:
    """Its entry is replayed from the log, which SQL had not recorded yet."""
    event = sale.open(plan=HALL)
    sale.buy(event, "k1")
    later = _later(sale, "purchased", '"gift":true,').buy(event, "k2", 2)
    sale.calls.command("XDEL", keys.log(event), f"{sale.term(event)}-3")
    sale.persist(event)
    assert [row for row in sale.rows(ledger, event) if '"gift":true' in row.change and '"original"' in row.change]
    assert sale.buy(event, "k2", 2) == later
    assert sale.purchases.get(later.id).state == "persisted"
    assert sale.check.reconcile(event) == []


@pytest.fixture
def event(sale: OneProcess) -> str:
    """Two seats were sold by this version; one in a way that only a later one knows; one by this version."""
    event = sale.open(plan=HALL)
    sale.buy(event, "k1", 2)
    _later(sale, "bartered").buy(event, "k2")
    sale.buy(event, "k3")
    with capture_logs() as said:
        sale.persist(event)
    (stopped,) = [line for line in said if line["event"] == "event not persisted"]
    assert (stopped["log_level"], stopped["event_id"]) == ("error", event)
    assert stopped["reason"].startswith(f"{sale.term(event)}-4: ")
    return event


def test_a_kind_that_is_not_known_stops_the_record_before_it(sale: OneProcess, event: str) -> None:
    """Its seats stay sold, nothing goes to quarantine, and nobody is told to rebuild."""
    assert sale.rows(quarantine, event) == []
    assert sale.told(event) == ["opened", "trusted", "purchased"]
    assert sale.lag(event) == 2
    with pytest.raises(SoldOut):
        sale.buy(event, "k4")
    assert not [finding for finding in sale.check.reconcile(event) if finding.advice.startswith("run: seating rebuild")]


def test_a_kind_that_is_not_known_is_recorded_by_the_version_that_knows_it(sale: OneProcess, event: str) -> None:
    """Nothing was skipped: the entry is the next one still."""
    (entry,) = sale.calls.command("XRANGE", keys.log(event), f"{sale.term(event)}-4", "+", "COUNT", 1)
    assert b"bartered" in entry[1][1]
    with pytest.raises(Overtaken):
        sale.rebuild.run(event, "asked for", claimable="recorded")
    assert sale.lag(event) == 2


@pytest.mark.parametrize("force", [False, True])
def test_a_rebuild_refuses_to_leave_it_out(sale: OneProcess, event: str, force: bool) -> None:
    """The log has lost an entry before it, so that only a rebuild can go on. Forced, it says what it leaves out."""
    term = sale.term(event)
    sale.calls.command("XDEL", keys.log(event), f"{term}-3")
    if not force:
        with pytest.raises(RebuildRefused, match=f"SQL lacks {term}-4, which this version cannot read"):
            sale.rebuild.run(event, "asked for", claimable="any")
        assert sale.now(event).counts.sold == 4
        sale.calls.command("DEL", keys.retry_wait(event))
        with capture_logs() as said:
            sale.persist(event)
        assert [line["reason"] for line in said if line["event"] == "event not persisted"]
        assert sale.now(event).counts.sold == 4
        return
    sale.rebuild.run(event, "asked for", claimable="any", force=True)
    sale.calls.command("DEL", keys.retry_wait(event))
    sale.persist(event)
    (waiting,) = [row for row in sale.rows(quarantine, event) if row.resolution is None]
    assert (waiting.epoch, waiting.seq, waiting.error) == (term, 4, "not readable")


def test_who_had_its_seats() -> None:
    """Its cancellation can be read, and names it by its position alone."""
    returned = '{"kind":"cancelled","at":7,"purchase":"1-3","quantity":1,"left":2,"runs":"0:2-1"}'
    elsewhere = '{"kind":"seat_set","at":6,"was":"a","status":"o","left":3,"runs":"9:0-1"}'
    changes = ['{"kind":"bartered"}', returned, elsewhere]
    story = [LogEntry(Position(1, seq), change, "") for seq, change in enumerate(changes, 3)]
    (told,) = seat_history.tell("event", "sec-1-row-A-seat-3", HALL, story, InventoryState.before_opening(HALL))
    assert (told.what, told.purchase_id) == ("returned", "event.1-3")
