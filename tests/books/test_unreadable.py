"""An entry that a later version wrote: this one cannot read it, and does not hide what follows from that."""

import pytest
from structlog.testing import capture_logs

from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.scripts import Scripts
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
