"""A database without tables, or with those of another version: one line says so, and no request gets a 500."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from seating.domain.errors import WrongTables
from seating.storage import migrations, schema_version, users
from seating.storage.database import Database
from seating.storage.tables import metadata
from tests import forked
from tests.servers import PostgresServer, RedisServer, wait_until
from tests.system import System
from tests.web import JSON, assert_problem

MISSING = "it has no tables; run `seating migrate`"
NEWER = "its tables are of version 9999, newer than "

_REQUESTS = (
    ("GET", "/api/v1/purchases/demo.1-2.0123456789abcdef", None),
    ("GET", "/api/v1/events/demo/purchases", None),
    ("GET", "/api/v1/events", None),
    ("GET", "/api/v1/losses", None),
    ("GET", "/api/v1/audit", None),
    ("GET", "/users/1", None),
    ("POST", "/users", b'{"name":"Ann","email":"ann@example.org"}'),
    ("POST", "/api/v1/events", b'{"name":"Test","totalSeats":5}'),
)


Start = Callable[[str], System]


@pytest.fixture
def over(own_redis: RedisServer, tmp_path: Path) -> Iterator[Start]:
    """A system over the given database, of which nothing runs yet."""
    made: list[System] = []

    def make(url: str) -> System:
        made.append(System(tmp_path / "data", own_redis, url, USERS_ACCESS="open"))
        return made[-1]

    yield make
    for system in made:
        system.stop()


def _execute(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def _drop_tables(url: str) -> None:
    engine = create_engine(url)
    metadata.drop_all(engine)
    engine.dispose()
    _execute(url, "DROP TABLE alembic_version")


def _assert_refused(system: System, words: str, reason: str) -> None:
    """Status 2, and one line."""
    done = forked.run([words], system.folder, system.environment)
    assert (done.returncode, done.stdout) == (2, ""), (words, done)
    assert done.stderr.startswith(f"seating: DATABASE_URL: the database cannot be used: {reason}"), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_query_tells_why_it_cannot_work(bare_database_url: str) -> None:
    """On each kind of database. A query that works is not held up by the version."""
    database = Database(bare_database_url)
    with pytest.raises(WrongTables, match=MISSING):
        database.read(users.find, "1")
    migrations.upgrade(database)
    assert database.read(users.find, "1") is None
    for version, reason in (("0001", "its tables are of version 0001, older than "), ("9999", NEWER)):
        _execute(bare_database_url, f"UPDATE alembic_version SET version_num = '{version}'")
        assert database.read(users.find, "1") is None
        with pytest.raises(WrongTables, match=reason):
            database.read(schema_version.check)
    with pytest.raises(WrongTables, match=NEWER):
        migrations.upgrade(database)
    _execute(bare_database_url, "ALTER TABLE users RENAME TO people")
    with pytest.raises(WrongTables, match=NEWER):
        database.read(users.find, "1")
    database.close()


@pytest.mark.parametrize("words", ["worker", "cron", "sender", "web", "reconcile"])
def test_nothing_starts_over_an_empty_database(over: Start, tmp_path: Path, words: str) -> None:
    _assert_refused(over(f"sqlite:///{tmp_path / 'seating.db'}"), words, MISSING)


def test_only_web_starts_over_newer_tables(over: Start, tmp_path: Path) -> None:
    """A web process of the old version may have to, while others are replaced."""
    system = over(f"sqlite:///{tmp_path / 'seating.db'}")
    system.command("migrate", "--with-demo")
    _execute(system.database_url, "UPDATE alembic_version SET version_num = '9999'")
    for words in ("worker", "migrate"):
        _assert_refused(system, words, NEWER)
    system.start_part("web", checked=True)
    system.wait_ready(60)


def test_requests_are_refused_if_the_tables_are_gone(over: Start, postgres_server: PostgresServer) -> None:
    system = over(postgres_server.new_database()).start("web")
    _drop_tables(system.database_url)
    for method, path, body in _REQUESTS:
        answer = system.request(method, path, body, JSON)
        assert_problem(answer, 503, "DATABASE_VERSION")
        assert answer.json["message"] == f"The database cannot be used: {MISSING}"
    wait_until(lambda: system.get("/ready").json["checks"]["sql"].get("reason") == MISSING, 20, "the reason")
    assert system.get("/api/v1/event").status == 200
    lines = [json.loads(line) for line in system.parts["web"].log.read_text().splitlines()]
    assert [line for line in lines if "exception" in line or line["level"] == "error"] == []
