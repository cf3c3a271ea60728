"""What a version before has recorded is upgraded where it stands, by one process at a time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, select, text
from sqlalchemy.exc import DatabaseError

from seating.domain.errors import RecordUnavailable
from seating.storage import database as database_module
from seating.storage import migrations, postgres, schema_version
from seating.storage.database import Database
from seating.storage.tables import purchases, sold_seats
from tests.servers import wait_until
from tests.webhooks.test_locks import somebody_waits

_PURCHASES = (
    "INSERT INTO purchases (id, event_id, epoch, seq, at_ms, quantity, seats_left, runs, reference, cancelled_ms{}) "
    "VALUES ('hall.1-3.a', 'hall', 1, 3, 7, 2, 7, '0:0-2', 'R1', 9{}), "
    "('hall.1-4.b', 'hall', 1, 4, 8, 1, 6, '0:2-1', NULL, NULL{})"
)
_EVENT = "INSERT INTO events (id, name, capacity, seated) VALUES ('hall', 'Hall', 9, true)"
_OTHERS = [
    "INSERT INTO sold_seats (event_id, seat_id, purchase_id) VALUES ('hall', 'A3', 'hall.1-4.b')",
    "INSERT INTO ledger (event_id, epoch, seq, change, link) VALUES ('hall', 1, 3, '{}', 'x')",
    "INSERT INTO quarantine (event_id, epoch, seq, change, link, reason, error) "
    "VALUES ('hall', 1, 5, '{}', 'y', 'poison', 'why')",
]
_IN_0004 = [_EVENT, _PURCHASES.format("", "", ""), *_OTHERS]
_IN_0008 = [_EVENT, _PURCHASES.format(", entry_seq", ", 3", ", 4"), *_OTHERS]


def _of_version(url: str, version: str, statements: Sequence[str] = ()) -> Database:
    database = Database(url, checkpoints=True, patient=True)

    def fill(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(schema_version.SCRIPTS))
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        for statement in statements:
            connection.execute(text(statement))

    database.write(fill)
    return database


@pytest.mark.parametrize(("version", "statements"), [("0004", _IN_0004), ("0008", _IN_0008)])
def test_purchases_and_what_of_them_is_cancelled(
    bare_database_url: str, version: str, statements: Sequence[str]
) -> None:
    database = _of_version(bare_database_url, version, statements)
    migrations.upgrade(database)
    columns = (purchases.c.id, purchases.c.reference, purchases.c.cancelled_quantity, purchases.c.cancelled_runs)
    query = select(*columns).order_by(purchases.c.seq)
    assert database.read(lambda connection: connection.execute(query).all()) == [
        ("hall.1-3.a", "R1", 2, "0:0-2"),
        ("hall.1-4.b", None, 0, ""),
    ]
    # Foreign keys are in force again.
    orphan = sold_seats.insert().values(event_id="hall", seat_id="A4", purchase_id="nobody's")
    with pytest.raises(DatabaseError, match=r"(?i)foreign key"):
        database.write(lambda connection: connection.execute(orphan))
    database.close()


def test_a_migration_that_fails_names_its_own_error(bare_database_url: str) -> None:
    """And leaves everything as it was."""
    in_the_way = "CREATE TABLE terms (id INTEGER)"
    database = _of_version(bare_database_url, "0004", [*_IN_0004, in_the_way])
    with pytest.raises((DatabaseError, RecordUnavailable)) as failed:
        migrations.upgrade(database)
    # As the command prints it.
    assert "terms" in str(failed.value.__cause__)
    assert "already exists" in str(failed.value.__cause__)
    query = text("SELECT version_num FROM alembic_version")
    assert database.read(lambda connection: connection.execute(query).scalar()) == "0004"
    database.close()


def test_rows_that_refer_to_none_are_not_upgraded(tmp_path: Path) -> None:
    database = _of_version(f"sqlite:///{tmp_path / 'bare.db'}", "0004", _IN_0004)
    with database.engine.connect() as connection:
        connection.detach()
        driver = connection.connection.cursor()
        driver.execute("PRAGMA foreign_keys=OFF")
        driver.execute("DELETE FROM purchases")
    with pytest.raises(RecordUnavailable) as failed:
        migrations.upgrade(database)
    assert str(failed.value.__cause__) == "not upgraded: rows of sold_seats refer to rows that do not exist"
    database.close()


def test_deployments_wait_for_each_other(bare_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For longer than other statements wait for a lock."""
    monkeypatch.setattr(database_module, "LOCK_WAIT_S", 0)
    monkeypatch.setattr(postgres, "_PATIENT_LOCK_WITHIN_S", 0.1)
    first, second, third = (Database(bare_database_url, patient=True) for _ in range(3))
    is_postgres = first.engine.dialect.name == "postgresql"
    lock = text(f"SELECT pg_advisory_xact_lock({migrations._LOCK})" if is_postgres else "SELECT 1")
    connected = Event()
    event.listen(second.engine, "connect", lambda *_: connected.set())
    first.read(lambda connection: None)

    def look(connection: Connection) -> None:
        connection.execute(lock)
        upgrading = threads.submit(migrations.upgrade, second)
        futures.append(upgrading)
        wait_until(connected.is_set)
        if is_postgres:
            wait_until(lambda: somebody_waits(third))
        # It began to wait before this one, and goes on.
        with pytest.raises(RecordUnavailable):
            third.write(lambda connection: connection.execute(lock))
        assert not upgrading.done()

    futures: list[Any] = []
    with ThreadPoolExecutor() as threads:
        first.write(look)
    futures[0].result()
    third.read(schema_version.check)


def test_a_migration_waits_for_tables_no_longer_than_others(
    bare_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a sale would wait behind it."""
    found: list[Any] = []

    def look(config: Config, _version: str) -> None:
        connection = config.attributes["connection"]
        if connection.dialect.name == "postgresql":
            found.append(connection.execute(text("SHOW lock_timeout")).scalar())

    monkeypatch.setattr(command, "upgrade", look)
    migrations.upgrade(Database(bare_database_url, patient=True))
    assert found in ([], ["5s"])
