"""A Postgres that takes everything and says nothing: a hung server, a lost host, a firewall that forgot."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.threadpool import ThreadPool
from sqlalchemy import Connection, make_url, text

from seating.domain.errors import RecordUnavailable
from seating.redis_store import keys
from seating.storage.database import Database
from tests.redis_store.tcp_proxy import TcpProxy
from tests.servers import PostgresServer, RedisServer, wait_until
from tests.system import System

WITHIN_S = 10.0


@pytest.fixture
def proxy(postgres_server: PostgresServer) -> Iterator[TcpProxy]:
    made = TcpProxy(f"{make_url(postgres_server.new_database()).query['host']}/.s.PGSQL.5432")
    yield made
    made.pass_on()
    made.refuse()


@pytest.fixture
def url(proxy: TcpProxy, postgres_server: PostgresServer) -> str:
    """A new, migrated database behind the proxy."""
    behind = make_url(postgres_server.new_database()).set(host="127.0.0.1", port=proxy.port, query={})
    return behind.render_as_string(hide_password=False)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def one(connection: Connection) -> Any:
    return connection.execute(text("SELECT 1")).scalar()


def slow(connection: Connection) -> Any:
    return connection.execute(text("SELECT pg_sleep(1)")).scalar()


def refused_after_s(database: Database, query: Any = one) -> float:
    begun = time.monotonic()
    with pytest.raises(RecordUnavailable):
        database.read(query)
    return time.monotonic() - begun


def test_nobody_waits_for_it_for_long(database: Database, proxy: TcpProxy) -> None:
    """More ask than there are connections: some are in the pool already, some are opened, and some are waited for."""
    assert database.read(one) == 1
    threads = ThreadPool(20)
    assert [reading.get() for reading in [threads.spawn(database.read, one) for _ in range(4)]] == [1] * 4
    proxy.swallow()
    asking = [threads.spawn(refused_after_s, database) for _ in range(20)]
    assert max(reading.get(timeout=WITHIN_S) for reading in asking) < WITHIN_S
    begun = time.monotonic()
    for _ in range(50):  # As for fifty events, one after the other.
        refused_after_s(database)
    assert time.monotonic() - begun < WITHIN_S
    proxy.pass_on()
    wait_until(lambda: answers(database), WITHIN_S, "an answer")


def answers(database: Database) -> bool:
    try:
        return bool(database.read(one) == 1)
    except RecordUnavailable:
        return False


def test_a_statement_under_way_is_given_up(database: Database, url: str, proxy: TcpProxy) -> None:
    """Its twin waits on: nothing but our own bound ends it, for the proxy's kernel answers every probe of ours."""
    patient = Database(url, patient=True)
    assert database.read(one) == patient.read(one) == 1
    asking, waiting = gevent.spawn(refused_after_s, database, slow), gevent.spawn(patient.read, slow)
    wait_until(lambda: proxy.writes(b"pg_sleep") == 2, what="the statements to be sent")
    proxy.swallow()
    assert asking.get(timeout=WITHIN_S) < WITHIN_S
    assert not waiting.ready()
    proxy.pass_on()
    waiting.get(timeout=WITHIN_S)
    patient.close()


def test_the_server_ends_what_was_given_up(database: Database) -> None:
    assert database.read(lambda connection: connection.execute(text("SHOW statement_timeout")).scalar()) == "4s"
    assert database.read(lambda connection: connection.execute(text("SHOW lock_timeout")).scalar()) == "3s"


def test_the_sale_and_the_cron_go_on(url: str, proxy: TcpProxy, own_redis: RedisServer, tmp_path: Path) -> None:
    system = System(tmp_path / "data", own_redis, url, HOLD_TTL_S="1", HOLD_EXTEND_STEP_S="1")
    client = own_redis.client()
    try:
        system.start()
        bought = system.buy().json
        system.wait_recorded()
        proxy.swallow()
        body = b'{"quantity": 1}'
        held = system.request("POST", "/api/v1/events/demo/holds", body, {"Content-Type": "application/json"})
        assert held.status == 201, held.body
        asked = [
            gevent.spawn(seconds_of, system, path, status)
            for path, status in ((f"/api/v1/purchases/{bought['purchaseId']}", 503), ("/users", 503))
        ]
        assert system.buy().status == 200
        assert min(seconds_of(system, "/ready", 200) for _ in range(5)) < 0.1
        wait_until(lambda: client.zcard(keys.holds("demo")) == 0, WITHIN_S + 1, "the cron to release the hold")
        assert max(reader.get(timeout=WITHIN_S) for reader in asked) < WITHIN_S
        sql = system.get("/ready").json["checks"]["sql"]
        assert sql["status"] == "down", sql
        proxy.pass_on()
        system.wait_recorded(60)
    finally:
        proxy.pass_on()
        system.stop()


def seconds_of(system: System, path: str, status: int) -> float:
    """How long the answer took."""
    begun = time.monotonic()
    answer = system.get(path)
    assert answer.status == status, answer.body
    return time.monotonic() - begun
