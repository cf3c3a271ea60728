"""An entry that a later version wrote: this one cannot read it, and does not hide what follows from that."""

import pytest
from structlog.testing import capture_logs

from seating.domain.errors import NotReplayable
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.seating_plan import GeneratedPlan, Run, generate, runs_text
from seating.redis_store import keys
from seating.redis_store.scripts import Scripts
from seating.services import seat_history
from seating.storage.tables import quarantine
from tests.one_process import OneProcess

HALL = generate(GeneratedPlan(sections=1, rows=1, seatsPerRow=4))


@pytest.fixture
def event(sale: OneProcess) -> str:
    """Two seats were sold by this version, one by a later one."""
    source = Scripts().sources["purchase"]
    known = '{"kind":"purchased"'
    assert known in source
    later = OneProcess.build(
        sale.redis_url, sale.database, Scripts(replaced={"purchase": source.replace(known, '{"kind":"bartered"')})
    )
    event = sale.open(plan=HALL)
    sale.buy(event, "k1", 2)
    later.buy(event, "k2")
    sale.persist(event)
    assert [row.seq for row in sale.rows(quarantine, event)] == [3]
    return event


def test_it_is_listed_in_words(sale: OneProcess, event: str) -> None:
    (aside,) = sale.quarantine.page(event, 0, 10).items
    assert aside.words == "this version cannot read it"
    with pytest.raises(NotReplayable, match="still refuses it: this version cannot read it"):
        sale.quarantine.replay(event, "1-3")


def test_who_had_its_seats(sale: OneProcess, event: str) -> None:
    """Its cancellation can be read, and names it by its position alone."""
    cancelled = (
        f'{{"kind":"cancelled","at":7,"purchase":"1-3","quantity":1,"left":2,"runs":"{runs_text([Run(0, 2, 1)])}"}}'
    )
    elsewhere = '{"kind":"seat_set","at":6,"was":"a","status":"o","left":3,"runs":"9:0-1"}'
    changes = ['{"kind":"bartered"}', cancelled, elsewhere]
    story = [LogEntry(Position(1, seq), change, "") for seq, change in enumerate(changes, 3)]
    (told,) = seat_history.tell(event, "sec-1-row-A-seat-3", HALL, story)
    assert (told.what, told.purchase_id) == ("returned", f"{event}.1-3")


def test_its_seats_stay_sold_and_nobody_is_told_to_rebuild(sale: OneProcess, event: str) -> None:
    assert sale.now(event).counts.sold == 3
    waiting, unread = sale.check.reconcile(event)
    assert waiting.what == "1 entries wait in quarantine"
    assert unread.what == "this version cannot read 1-3, so what Redis should have is not known"
    assert unread.advice.startswith("do not rebuild")


def test_a_rebuild_says_that_it_was_left_out(sale: OneProcess, event: str) -> None:
    sale.calls.command("UNLINK", *keys.all_of(event))
    with capture_logs() as said:
        sale.persist(event)
    (left_out,) = [line for line in said if line["event"] == "entries left out"]
    assert (left_out["log_level"], left_out["event_id"], left_out["positions"]) == ("error", event, ["1-3"])
    assert sale.now(event).counts.sold == 2


def test_what_the_operator_put_to_rest_is_no_reason_any_more(sale: OneProcess, event: str) -> None:
    sale.quarantine.cancel(event, "1-3")
    findings = sale.check.reconcile(event)
    assert findings
    assert {finding.advice for finding in findings} == {"run: seating rebuild"}
    sale.rebuild.run(event, "asked for", close=True)
    assert sale.check.reconcile(event) == []
    assert sale.buy(event, "k3", 2).left == 0
