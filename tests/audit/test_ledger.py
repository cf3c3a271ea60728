"""An act that changed an inventory is on record exactly when its entry is in the ledger, once."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from seating.domain.actor import Actor
from seating.domain.change_json import parse_change
from seating.domain.changes import Cancelled, Opened, StateSet
from seating.redis_store import keys
from seating.redis_store.terms import LogKeeping
from seating.storage import migrations
from seating.storage.database import Database
from seating.storage.tables import audit, ledger, quarantine, sold_seats
from tests.one_process import OPERATOR, OneProcess
from tests.servers import RedisServer
from tests.terms.backups import backup, restore
from tests.terms.test_merge import HALL


def _acts(sale: OneProcess) -> list[Any]:
    """Without their ids, first to last."""
    columns = [column for column in audit.c if column.name != "id"]
    return [tuple(row) for row in sale.database.read(lambda c: c.execute(select(*columns).order_by(audit.c.id)).all())]


def _actions(sale: OneProcess) -> list[str]:
    return [row[4] for row in _acts(sale)]


def _act(sale: OneProcess, event: str) -> None:
    """Three acts."""
    receipt = sale.buy(event, "bought")
    sale.seats.set(event, "B4", "reserved", OPERATOR)
    sale.cancel(receipt.id)
    sale.events.set_state(event, "paused", OPERATOR)


@contextmanager
def _refusing(database: Database, *, constraint: bool) -> Iterator[None]:
    """The table is gone, which passes, or refuses every row, which does not."""
    rename = "ALTER TABLE {} RENAME TO {}"

    def write(*statements: str) -> None:
        database.write(lambda connection: [connection.execute(text(statement)) for statement in statements])

    write(rename.format("audit", "away"))
    if constraint:
        write("CREATE TABLE audit AS SELECT * FROM away WHERE id < 0")
        database.write(lambda connection: _refuse_rows(connection))
    yield
    if constraint:
        write("DROP TABLE audit")
    write(rename.format("away", "audit"))


def _refuse_rows(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE audit ADD CHECK (actor = '')"))
        return
    refuse = "CREATE TRIGGER refuse BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'refused'); END"
    connection.execute(text(refuse))


def test_without_its_act_no_entry_is_recorded(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    before = sale.rows(ledger, event)
    _act(sale, event)
    with _refusing(sale.database, constraint=False):
        sale.persist(event)
        assert sale.rows(ledger, event) == before
        assert sale.lag(event) == 4
    sale.persistence.run_now(event)
    assert _actions(sale) == ["event.create", "seat.set", "purchase.cancel", "event.state"]
    assert len(sale.rows(ledger, event)) == len(before) + 4


def test_an_act_that_is_refused_for_good_takes_its_entry_to_quarantine(sale: OneProcess) -> None:
    """One that no operator asked for is recorded beside it; once the cause is gone, a replay records both."""
    event = sale.open(plan=HALL)
    sale.seats.set(event, "B4", "reserved", OPERATOR)
    sale.buy(event, "k")
    with _refusing(sale.database, constraint=True):
        sale.persist(event)
        assert sale.told(event) == ["opened", "trusted", "purchased"]
    (aside,) = sale.rows(quarantine, event)
    assert _actions(sale) == ["event.create"]
    sale.quarantine.replay(event, f"{aside.epoch}-{aside.seq}", Actor("another"))
    assert sale.told(event) == ["opened", "trusted", "seat_set", "purchased"]
    assert [(row[1], row[4]) for row in _acts(sale)[1:]] == [("operator", "seat.set"), ("another", "quarantine.replay")]


def test_without_its_entry_no_act_is_recorded(sale: OneProcess) -> None:
    """The tables refuse the entry: somebody has the seat by the record."""
    event = sale.open(plan=HALL)
    taken = {"event_id": event, "seat_id": "B4", "purchase_id": None}
    sale.database.write(lambda connection: connection.execute(insert(sold_seats).values(taken)))
    sale.seats.set(event, "B4", "sold", OPERATOR)
    sale.persist(event)
    (aside,) = sale.rows(quarantine, event)
    assert _actions(sale) == ["event.create"]
    with pytest.raises(Exception, match="still rejects it"):
        sale.quarantine.replay(event, f"{aside.epoch}-{aside.seq}", OPERATOR)
    assert _actions(sale) == ["event.create"]


def test_an_event_that_is_not_recorded_was_not_created(sale: OneProcess) -> None:
    with _refusing(sale.database, constraint=True), pytest.raises(IntegrityError):
        sale.open(plan=HALL)
    count = select(func.count()).select_from(ledger)
    assert sale.database.read(lambda connection: connection.execute(count).scalar_one()) == 0


@pytest.mark.parametrize("recorded", [False, True])
def test_an_sql_that_was_restored_has_each_act_once(sale: OneProcess, recorded: bool) -> None:
    """It records the log again, from before the acts or from amid them."""
    sale = OneProcess.build(sale.redis_url, sale.database, keeping=LogKeeping())
    event = sale.open(plan=HALL)
    older = backup(sale.database)
    _act(sale, event)
    sale.persist(event)
    if recorded:
        older = backup(sale.database)
    sale.seats.set(event, "A1", "held", OPERATOR)
    sale.persist(event)
    acts = _acts(sale)
    restore(sale.database, older)
    for _ in range(2):
        sale.persist(event)
    assert _acts(sale) == acts
    assert len(acts) == 5
    assert sale.check.reconcile(event) == []


def test_rebuilding(sale: OneProcess) -> None:
    """By an operator it is an act; by itself, after Redis lost all, it is none."""
    event = sale.open(plan=HALL)
    sale.rebuild.run(event, "asked for", claimable="recorded", by=OPERATOR)
    sale.persist(event)
    sale.calls.command("UNLINK", keys.inventory(event))
    sale.persist(event)
    assert _actions(sale) == ["event.create", "event.rebuild"]
    assert sale.told(event).count("rebuilt") == 2


def test_acts_of_a_fork_are_recorded_where_it_is_replayed(own_redis: RedisServer, tmp_path: Path) -> None:
    """Redis comes back without two acts, sells in a new term, and then comes back with them."""
    database = Database(f"sqlite:///{tmp_path}/seating.db", checkpoints=True)
    migrations.upgrade(database)
    sale = OneProcess.build(own_redis.url, database)
    event = sale.open(plan=HALL)
    own_redis.copy_to(tmp_path / "before")
    sale.seats.set(event, "B4", "reserved", OPERATOR)
    sale.seats.set(event, "B3", "held", OPERATOR)
    own_redis.copy_to(tmp_path / "fork")
    own_redis.put_back(tmp_path / "before")
    sale.persist(event)
    assert _actions(sale) == ["event.create"]
    own_redis.put_back(tmp_path / "fork")
    for _ in range(2):
        sale.persist(event)
    assert [(row[1], row[4], row[6]) for row in _acts(sale)[1:]] == [
        ("operator", "seat.set", "B4"),
        ("operator", "seat.set", "B3"),
    ]
    positions = {f"{row.epoch}-{row.seq}" for row in sale.rows(ledger, event)}
    assert {row[-1] for row in _acts(sale)} <= positions
    database.close()


def test_entries_name_the_actor(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    _act(sale, event)
    sale.persist(event)
    changes = [parse_change(row.change) for row in sale.rows(ledger, event)]
    by = [change for change in changes if getattr(change, "by", None) == OPERATOR]
    assert [type(change).__name__ for change in by] == ["Opened", "SeatSet", "Cancelled", "StateSet"]
    fields = {"name": "operator", "address": "192.0.2.1", "request": "request-0000001", "why": "a test"}
    assert json.loads(sale.rows(ledger, event)[-1].change)["by"] == fields
    assert [entry.by for entry in sale.check.history(event, "B4")] == ["operator"]


OLD: dict[str, Callable[[Any], bool]] = {
    '{"kind":"state","at":1,"state":"paused"}': lambda change: change == StateSet(1, "paused"),
    '{"kind":"opened","at":1,"capacity":2}': lambda change: change == Opened(1, 2),
    '{"kind":"cancelled","at":1,"purchase":"1-3","quantity":1,"left":2,"runs":""}': lambda change: isinstance(
        change, Cancelled
    ),
    '{"kind":"state","at":1,"state":"paused","by":{"name":"x","role":"y"}}': lambda change: change.by == Actor("x"),
}


@pytest.mark.parametrize("text", OLD)
def test_entries_of_other_versions_are_read(text: str) -> None:
    """Older ones name nobody, newer ones may say more."""
    assert OLD[text](parse_change(text))


def test_what_does_not_fit_is_cut(sale: OneProcess) -> None:
    """A record is bounded, whatever an entry says."""
    event = sale.open(plan=HALL)
    sale.events.set_state(event, "paused", Actor("n" * 500, "a" * 500, "r" * 500, "w" * 5_000))
    sale.persist(event)
    _, actor, address, request_id, *_, why, _ = _acts(sale)[-1]
    assert [len(text) for text in (actor, address, request_id, why)] == [80, 64, 64, 1_000]
