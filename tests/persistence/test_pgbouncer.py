"""Behind PgBouncer in transaction mode no connection keeps anything: the whole system works there, with a replica."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import psycopg
import pytest
from sqlalchemy import Connection, text

from seating.storage.database import Database
from tests import pgbouncer
from tests.postgres_replica import PostgresReplica
from tests.servers import PostgresServer, RedisServer, wait_until
from tests.system import Client, System

_CONNECTIONS = 4
_JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def direct(postgres_server: PostgresServer) -> str:
    """A database without tables."""
    return postgres_server.new_database_without_tables()


@pytest.fixture(scope="module")
def pooled(direct: str) -> Iterator[str]:
    """The same, by way of a few connections that everybody shares."""
    with pgbouncer.in_front_of(direct, connections=_CONNECTIONS) as url:
        yield url


@pytest.fixture
def replica(postgres_server: PostgresServer, direct: str) -> Iterator[PostgresReplica]:
    made = PostgresReplica(postgres_server, direct)
    yield made
    made.remove()


def test_it_refuses_options_and_forgets_prepared_statements(pooled: str) -> None:
    """What the next tests are about: with either of these, nothing would work here."""
    url = pgbouncer.plain(pooled)
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
        psycopg.connect(url, options="-c lock_timeout=3s")
    clients = [psycopg.connect(url, prepare_threshold=0) for _ in range(3)]
    with pytest.raises(psycopg.Error, match="prepared statement"):
        ask_in_turns(clients)
    for client in clients:
        client.close()


def ask_in_turns(clients: list[psycopg.Connection[Any]]) -> None:
    for client in clients * 10:
        client.execute("SELECT %s::int", (1,))
        client.commit()


def setting(connection: Connection, name: str) -> Any:
    return connection.execute(text(f"SHOW {name}")).scalar()


def test_bounds_end_with_their_transaction(pooled: str) -> None:
    """Both use the same connections; a bound that stayed would end a command that may take minutes."""
    bounded, patient = Database(pooled), Database(pooled, patient=True)
    for _ in range(8):
        assert bounded.read(setting, "statement_timeout") == "4s"
        assert bounded.write(setting, "lock_timeout") == "3s"
        assert patient.read(setting, "statement_timeout") == "0"
        assert patient.read(setting, "lock_timeout") == "5s"
        assert bounded.read_snapshot(setting, "transaction_isolation") == "repeatable read"
        assert bounded.read(setting, "transaction_isolation") == "read committed"
    for database in (bounded, patient):
        database.close()


def leave_as_pg_dump_does(pooled: str) -> None:
    """With an empty search path, on each of the connections."""
    clients = [psycopg.connect(pgbouncer.plain(pooled)) for _ in range(_CONNECTIONS)]
    for client in clients:  # Its transaction keeps the connection from the others.
        client.execute("SELECT pg_catalog.set_config('search_path', '', false)")
    for client in clients:
        client.commit()
        client.close()


def test_what_others_have_set_is_not_used(pooled: str) -> None:
    leave_as_pg_dump_does(pooled)
    with psycopg.connect(pgbouncer.plain(pooled)) as other:
        assert other.execute("SHOW search_path").fetchone() == ("",)
    for patient in (False, True):
        database = Database(pooled, patient=patient)
        assert database.read(setting, "search_path") == '"$user", public'
        database.close()


def test_the_running_system_works(
    pooled: str, direct: str, replica: PostgresReplica, own_redis: RedisServer, tmp_path: Path
) -> None:
    """Tables are made, seats sold, cancelled, listed and exported; two web processes, a worker and a cron share the
    connections that a pg_dump had before. Lists come from a replica, and when that is gone, only the operator notices.
    """
    leave_as_pg_dump_does(pooled)
    settings = {"WEB_WORKERS": "2", "RATE_LIMIT_USERS": "off"}
    settings |= {"DATABASE_READ_URL": replica.url, "DATABASE_READ_MAX_LAG_S": "3600"}
    system = System(tmp_path / "data", own_redis, pooled, **settings)
    try:
        system.start()
        event_id = system.create_event(totalSeats=1_000)
        buyers = [gevent.spawn(buy_and_look, system, event_id) for _ in range(_BUYERS)]
        answers = [buyer.get() for buyer in buyers]
        failed = [answer for one in answers for answer in one if answer[1] not in (200, 201)]
        assert failed == []
        system.wait_recorded()
        replica.catch_up(direct)
        wait_until(lambda: shown(system)["status"] == "used", 60, "the replica to be used")
        wait_until(lambda: "seating_sql_replica_used 1.0" in metrics(system), 60, "the metric to say so")
        listed = system.get(f"/api/v1/events/{event_id}/purchases?limit=100").json["purchases"]
        assert [one["state"] for one in listed].count("cancelled") == _BUYERS
        assert len(listed) == _BUYERS * _EACH
        assert len(system.command("export", event_id).stdout.splitlines()) == 1 + _BUYERS * _EACH
        assert system.command("reconcile").returncode == 0
        replica.stop()
        path = f"/api/v1/events/{event_id}/purchases"
        assert [system.get(path).status for _ in range(20)] == [200] * 20
        wait_until(lambda: shown(system).get("reason") == "it does not answer", 60, "the replica to be unused")
        wait_until(lambda: "seating_sql_replica_used 0.0" in metrics(system), 60, "the metric to say so")
        system.wait_ready()
        replica.start()
        wait_until(lambda: shown(system)["status"] == "used", 60, "the replica to be used again")
    finally:
        system.stop()


def shown(system: System) -> dict[str, object]:
    """What `/ready` shows of the replica, in the web process that answers."""
    checks: dict[str, dict[str, object]] = system.get("/ready").json["checks"]
    return checks["sqlReplica"]


def metrics(system: System) -> list[str]:
    return system.get("/metrics", {"Accept": "text/plain"}).body.decode().splitlines()


_BUYERS, _EACH = 4, 6


def buy_and_look(client: Client, event_id: str) -> list[tuple[str, int]]:
    """Return each request and its status; often enough for every connection to see every statement many times."""
    asked: list[tuple[str, int]] = []

    def note(name: str, answer: Any) -> Any:
        asked.append((name, answer.status))
        return answer

    for number in range(_EACH):
        bought = note("buy", client.buy(event_id=event_id, Prefer="wait=10")).json
        path = f"/api/v1/purchases/{bought['purchaseId']}"
        note("get", client.get(path))
        note("list", client.get(f"/api/v1/events/{event_id}/purchases?limit=5"))
        note("income", client.get(f"/api/v1/events/{event_id}/income"))
        note("audit", client.get("/api/v1/audit?limit=5"))
        note("users", client.get("/users"))
        if number == 0:
            note("cancel", client.request("DELETE", path))
        else:
            body = json.dumps({"state": "paused"}).encode()
            other = client.create_event(totalSeats=5)
            note("pause", client.request("PATCH", f"/api/v1/events/{other}", body, _JSON))
    return asked
