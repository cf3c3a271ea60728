"""What a process confirmed reaches SQL, whatever it notes while SQL is written."""

from collections.abc import Callable
from typing import Any

import pytest

from seating.storage import answered
from seating.storage.tables import answered as answered_table
from tests.one_process import OneProcess


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
