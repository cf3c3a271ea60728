"""Whatever happens to the two stores: a trace in the log disturbs nobody, and purchases are named in the lines."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from seating.domain.log_entry import GENESIS, Checkpoint
from seating.domain.position import Position
from seating.domain.purchase import Order
from seating.domain.receipt import Receipt
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import book_snapshot, keys
from seating.redis_store.calls import Argument, ScriptCall
from seating.redis_store.connection import DirectCalls
from seating.redis_store.event_log import LiveLog
from seating.redis_store.plain_client import plain_client
from seating.redis_store.terms import LogKeeping
from seating.storage.database import Database
from tests.one_process import OPERATOR, OneProcess
from tests.terms.backups import backup, distrust, restore, set_private, trim

HALL = SeatingPlan([[["A1", "A2", "A3", "A4"], ["B1", "B2", "B3", "B4"]]])
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class _TracedCalls(DirectCalls):
    """Every script belongs to one trace."""

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument], *, promises: bool = False) -> Any:
        return self._run(name, self._ask, [ScriptCall(self._digest(name), keys, args, promises, TRACEPARENT)])[0]


@pytest.fixture
def traced(redis_url: str, database_url: str) -> Iterator[OneProcess]:
    """A sale over each kind of database, with a log that keeps everything."""
    database = Database(database_url, checkpoints=True)
    yield _process(redis_url, database)
    database.close()


def _process(redis_url: str, database: Database) -> OneProcess:
    return OneProcess.build(redis_url, database, keeping=LogKeeping(), calling=_TracedCalls)


def _named(lines: Sequence[Any], event: str, field: str = "purchases") -> list[list[str]]:
    return [line[field] for line in lines if line["event"] == event]


def _ids(*receipts: Receipt) -> list[list[str]]:
    return [[str(receipt.id) for receipt in receipts]]


def test_a_trace_stands_beside_the_chain(traced: OneProcess) -> None:
    event = traced.open(plan=HALL)
    traced.order(event, "k", Order(1, reference="R-17"))
    held = traced.hold(event, quantity=2)
    traced.buy_held(event, "k2", held.token)
    log = traced.persistence.log.entries_from(event, Position(1, 1), 10)
    assert [entry.traceparent for entry in log] == [None, TRACEPARENT, TRACEPARENT, TRACEPARENT, TRACEPARENT]
    assert [bool(entry.private) for entry in log] == [False, False, True, False, False]
    assert TRACEPARENT not in "".join(entry.change for entry in log)
    checkpoint = Checkpoint(Position(log[0].position.epoch, 0), GENESIS)
    for entry in log:
        assert entry.follows(checkpoint)
        checkpoint = Checkpoint.of(entry)
    client = plain_client(traced.redis_url)
    live = LiveLog(client).after({event: log[0].position}, 10, 100)[event]
    assert [entry.link for entry in live] == [entry.link for entry in log[1:]]
    snapshot = book_snapshot.take(client, event)
    assert snapshot is not None
    assert [entry.private for entry in snapshot.log] == [entry.private for entry in log]
    traced.persist(event)
    assert traced.check.verify(event) == (5, None)
    assert traced.check.reconcile(event) == []


def test_poison_names_its_purchase(traced: OneProcess) -> None:
    event = traced.open(plan=HALL)
    first, second = (traced.order(event, key, Order(1, reference="R")) for key in ("k1", "k2"))
    set_private(traced, event, '{"salt":"00","reference":"altered"}')
    with capture_logs() as lines:
        traced.persist(event)
    assert _named(lines, "entries persisted") == _ids(first)
    assert _named(lines, "entries quarantined") == _ids(second)


def test_a_fork_names_what_is_replayed_and_what_waits(traced: OneProcess) -> None:
    """Redis came back older than SQL: what it sells on, without knowing, is of another history."""
    event = traced.open(plan=HALL)
    traced.persist(event)
    kept = backup(traced.database)
    theirs, waiting = (traced.buy_seats(event, key, seat) for key, seat in (("theirs", "A1"), ("waits", "B1")))
    saved = {name: traced.calls.command("DUMP", name) for name in keys.all_of(event)}
    restore(traced.database, kept)
    traced.calls.command("FLUSHALL")
    traced.persist(event)
    traced = _process(traced.redis_url, traced.database)  # One that has seen no more than this Redis has.
    ours = traced.buy_seats(event, "ours", "B1")
    traced.persist(event)
    for name, value in saved.items():
        if value is not None:
            traced.calls.command("RESTORE", name, 0, value, "REPLACE")
    distrust(traced, event)
    with capture_logs() as lines:
        traced.persist(event)
    assert _named(lines, "purchases replayed") == _ids(theirs)
    assert _named(lines, "purchases put aside") == _ids(waiting)
    with capture_logs() as lines:
        traced.cancel(ours.id)
        traced.quarantine.replay(event, str(waiting.id.position), OPERATOR)
        traced.persist(event)
    assert _named(lines, "purchase cancelled", "purchase_id") == [str(ours.id)]
    assert _named(lines, "purchase replayed", "purchase_id") == [str(waiting.id)]
    assert _named(lines, "entries persisted", "cancelled") == _ids(ours)
    assert _named(lines, "entries persisted") == _ids(waiting)
    assert traced.check.reconcile(event) == []


def test_a_merge_names_what_it_takes_in_and_what_it_cancels(traced: OneProcess) -> None:
    event = traced.open(plan=HALL)
    shrunk = traced.buy(event, "before", 2)
    traced.persist(event)
    kept = backup(traced.database)
    bought = traced.buy(event, "k")
    traced.cancel_part(shrunk, 1)
    traced.persist(event)
    trim(traced, event)
    restore(traced.database, kept)
    traced.persist(event)
    with capture_logs() as lines:
        traced.merge.run(event, "redis", OPERATOR)
    assert _named(lines, "purchases taken in") == _ids(bought)
    assert _named(lines, "purchases cancelled") == _ids(shrunk)


def test_a_lost_purchase_is_named_and_so_is_one_that_is_settled(traced: OneProcess) -> None:
    event = traced.open(plan=HALL)
    traced.persist(event)
    lost = traced.buy(event, "k")
    traced.answered.flush()
    traced.calls.command("FLUSHALL")
    traced.persist(event)
    with capture_logs() as lines:
        traced.answered.flush()
    assert _named(lines, "purchases lost") == _ids(lost)
    with capture_logs() as lines:
        traced.losses.settle(event, lost.id.position.epoch, OPERATOR)
    assert _named(lines, "purchases settled") == _ids(lost)
