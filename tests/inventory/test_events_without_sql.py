"""While SQL does not answer, an event that a process has read before is described all the same: pages need it."""

import pytest

from seating.domain.errors import EventNotFound, RecordUnavailable
from seating.redis_store import keys
from seating.services import events as service
from tests.one_process import OPERATOR, OneProcess, on_sqlite

pytestmark = on_sqlite


def _down(*_: object) -> None:
    raise RecordUnavailable from OSError("down")


def test_its_state_and_counts_are_those_of_redis(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event, another = sale.open(capacity=10), sale.another()
    sale.events.get(event)
    for process in (sale, another):
        monkeypatch.setattr(process.database, "read", _down)
    sale.buy(event, "k", 3)
    sale.inventory.set_state(event, "paused", OPERATOR)
    found = sale.events.get(event)
    assert found.counts
    assert (found.event.name, found.state, found.counts.remaining) == ("Test", "paused", 7)
    with pytest.raises(RecordUnavailable):
        another.events.get(event)


def test_one_that_was_archived_since_does_not_come_back(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event = sale.open(capacity=10)
    sale.events.get(event)
    sale.calls.command("UNLINK", *keys.all_of(event))
    monkeypatch.setattr(sale.database, "read", _down)
    with pytest.raises(RecordUnavailable):
        sale.events.get(event)


def test_only_the_events_that_were_read_last_are_known(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_MOST_KNOWN", 2)
    first, second, third = (sale.open(capacity=10) for _ in range(3))
    for event in (first, second, first, third):
        sale.events.get(event)
    with pytest.raises(EventNotFound):
        sale.events.get("nosuchevent")
    monkeypatch.setattr(sale.database, "read", _down)
    for event in (first, third):
        assert sale.events.get(event).event.id == event
    with pytest.raises(RecordUnavailable):
        sale.events.get(second)
