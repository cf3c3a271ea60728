"""What a process confirmed reaches SQL, whatever it notes while SQL is written."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, event

from seating.redis_store import keys
from seating.services.answered import AnsweredWriter
from seating.storage import answered
from seating.storage.tables import answered as answered_table
from seating.storage.tables import quarantine
from tests.one_process import OPERATOR, OneProcess
from tests.servers import wait_until


def test_what_is_noted_during_a_write_is_written_next(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the process knows more terms than it keeps: only those that are written go."""
    monkeypatch.setattr("seating.services.answered.MOST_TERMS", 1)
    monkeypatch.setattr("seating.services.answered._WRITE_AGAIN_EVERY_S", -1.0)
    oldest, other = (sale.open(capacity=9) for _ in range(2))
    write, written, meanwhile = sale.database.write, [], []

    def write_slowly(change: Callable[..., Any], *args: Any) -> Any:
        result = write(change, *args)
        if change is answered.remember:
            written.append({event_id for event_id, _ in args[0]})
            meanwhile.append(sale.buy(oldest, f"meanwhile {len(meanwhile)}"))
        return result

    for each in (oldest, other):
        sale.buy(each, "before")
    monkeypatch.setattr(sale.database, "write", write_slowly)
    for _ in range(2):
        sale.answered.flush()
    assert written == [{oldest, other}, {oldest}]
    (row,) = sale.rows(answered_table, oldest)
    assert row.seq == meanwhile[0].id.position.seq


def test_it_is_written_at_once_where_redis_may_have_lost_it(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may be killed next; nobody else knows what it alone has confirmed."""
    monkeypatch.setattr("seating.services.answered._WRITE_EVERY_S", 3600.0)
    writer = AnsweredWriter(sale.answered)
    writer.start()
    event = sale.open(capacity=9)
    sale.buy(event, "confirmed")
    assert not sale.rows(answered_table, event)
    writer.hurry()
    wait_until(lambda: sale.rows(answered_table, event), what="the position to be written")


def test_settling_lost_receipts_costs_a_few_statements(sale: OneProcess) -> None:
    """However many there are: SQLite lets nobody else write meanwhile."""
    event_id = sale.open(capacity=300)
    sale.persist(event_id)
    lost = [sale.buy(event_id, f"k{number}") for number in range(200)]
    sale.calls.command("UNLINK", *keys.all_of(event_id))
    sale.persist(event_id)
    statements: list[str] = []
    event.listen(sale.database.engine, "before_cursor_execute", lambda _c, _cursor, text, *_: statements.append(text))
    sale.answered.flush()
    assert len(statements) < 20
    assert {row.seq for row in sale.rows(quarantine, event_id)} == {receipt.id.position.seq for receipt in lost}
    sale.answered.flush()
    assert len(sale.rows(quarantine, event_id)) == len(lost)


def test_nothing_of_a_deleted_event_comes_back(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """But what SQL has lost is noted again."""
    monkeypatch.setattr("seating.services.answered._WRITE_AGAIN_EVERY_S", -1.0)
    gone, kept = (sale.open(capacity=9) for _ in range(2))
    position = sale.buy(gone, "k").id.position
    sale.buy(kept, "k")
    sale.answered.flush()
    for each in (gone, kept):
        sale.persist(each)
    sale.archive(gone)
    for _ in sale.erasure.delete(gone, OPERATOR):
        pass
    # As another process does that asked before the event was deleted.
    late = {(gone, position.epoch): answered.ConfirmedRange(position.seq, position.seq)}
    sale.database.write(answered.remember, late)
    lost = delete(answered_table).where(answered_table.c.event_id == kept)
    sale.database.write(lambda connection: connection.execute(lost))
    for _ in range(2):
        sale.answered.flush()
        assert sale.rows(answered_table, gone) == []
        assert len(sale.rows(answered_table, kept)) == 1
