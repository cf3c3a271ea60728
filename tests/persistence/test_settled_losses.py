"""A loss is settled as far as it was read; another process may know of more."""

import pytest
from sqlalchemy import Connection, event, update

from seating.domain.change_json import change_json
from seating.domain.changes import Purchased
from seating.domain.errors import RecordUnavailable
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.storage import answered, quarantine
from seating.storage.answered import ConfirmedRange, Loss
from seating.storage.database import Database
from seating.storage.quarantine import LOST, QuarantinedEntry
from seating.storage.tables import answered as answered_table
from tests.one_process import OPERATOR, OneProcess


def _losses_after(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[Loss]]:
    """Settle a loss while another process notes that it confirmed more; return the event and what is lost still."""
    # SQLite lets nobody write meanwhile; the other process tries again a second later.
    monkeypatch.setattr("seating.storage.database.LOCK_WAIT_S", 0)
    event_id = sale.open(10)
    another = Database(sale.database.url)
    lost = change_json(Purchased(5_000, 2, 4, [], "0123456789abcdef", "hash", "print", 1, None))
    receipts = [
        QuarantinedEntry(event_id, LogEntry(Position(7, seq), lost, f"receipt {seq}"), LOST, "it was lost", None)
        for seq in (4, 6)
    ]
    another.write(answered.remember, {(event_id, 7): ConfirmedRange(3, 4)})
    another.write(quarantine.put_aside, receipts[:1])

    def note_more() -> None:
        another.write(answered.remember, {(event_id, 7): ConfirmedRange(3, 6)})
        another.write(quarantine.put_aside, receipts[1:])

    waiting = [note_more]

    @event.listens_for(sale.database.engine, "before_cursor_execute")
    def interrupt(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE answered") and waiting:
            try:
                waiting.pop()()
            except RecordUnavailable:
                waiting.append(note_more)

    sale.losses.settle(event_id, 7, OPERATOR)
    assert len(waiting) == (sale.database.engine.dialect.name == "sqlite")
    for again in waiting:
        again()
    another.close()
    return event_id, sale.losses.all(event_id)


def test_a_loss_that_grows_while_it_is_settled_is_lost_still(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event_id, losses = _losses_after(sale, monkeypatch)
    assert losses == [Loss(event_id, Position(7, 5), Position(7, 6), 2)]
    waiting = sale.database.read(quarantine.lost, event_id, 7)
    assert [aside.entry.position for aside in waiting] == [Position(7, 6)]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_settling_all_that_is_noted_settles_what_nobody_read(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin."""

    def settle(connection: Connection, event_id: str, epoch: int, at_ms: int, by: str, why: str) -> Loss | None:
        loss = next((loss for loss in answered.losses(connection, event_id) if loss.first.epoch == epoch), None)
        here = (answered_table.c.event_id == event_id, answered_table.c.epoch == epoch)
        connection.execute(update(answered_table).where(*here).values(settled_seq=answered_table.c.seq))
        return loss

    monkeypatch.setattr(answered, "settle", settle)
    _, losses = _losses_after(sale, monkeypatch)
    assert losses == []
