"""Alerts fire when their part is really broken, and end when it is mended: one system, one Prometheus.

`make alerts` breaks everything; the suite, which has no minutes for that, a few parts.
"""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from sqlalchemy import select

from seating.redis_store import keys
from seating.storage.database import Database
from seating.storage.tables import answered
from tests.books.test_cancel import poison
from tests.crowd import Rush
from tests.monitoring.prometheus import Prometheus, alerts, running_prometheus
from tests.one_process import OneProcess
from tests.programs import program
from tests.servers import PostgresServer, RedisServer, wait_until
from tests.system import System, free_port
from tests.terms.backups import backup, restore

_EVENT = "demo"
_LAST_SEAT = "sec-10-row-T-seat-25"
_JSON = {"Content-Type": "application/json"}


@pytest.fixture
def system(own_redis: RedisServer, postgres_server: PostgresServer, tmp_path: Path) -> Iterator[System]:
    """Purchases go on until Redis is nearly full, so that the alert comes before the refusals."""
    settings = {"WEB_WORKERS": "1", "BACKLOG_MEMORY_PERCENT": "95", "WEBHOOK_ALLOW_PRIVATE": "true"}
    running = System(tmp_path / "data", own_redis, postgres_server.new_database(), **settings)
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def prometheus(system: System, tmp_path: Path) -> Iterator[Prometheus]:
    with running_prometheus(tmp_path / "prometheus", system) as running:
        yield running


@pytest.fixture
def database(system: System) -> Iterator[Database]:
    opened = Database(system.database_url)
    yield opened
    opened.close()


def test_a_few_alerts_fire_and_end(
    system: System, prometheus: Prometheus, own_redis: RedisServer, database: Database
) -> None:
    with Rush(system, buyers=4, pause_s=0.2):
        wait_until(lambda: is_well(prometheus), 60, "all to be well")
        could_lose_sales(prometheus, own_redis)
        system.parts["web"].kill()
        prometheus.wait_fired("SeatingDown")
        system.start_part("web")
        prometheus.wait_ended("SeatingDown", "SeatingPurchaseErrors")
    has_poison(system, prometheus, database)


@pytest.mark.skipif("SEATING_EVERY_ALERT" not in os.environ, reason="takes a minute and a half: make alerts")
@pytest.mark.timeout(300)
def test_each_alert_fires_and_ends(
    system: System, prometheus: Prometheus, own_redis: RedisServer, postgres_server: PostgresServer, database: Database
) -> None:
    forgotten = system.create_event(totalSeats=9)
    system.wait_recorded()
    with Rush(system, buyers=4, pause_s=0.2):
        wait_until(lambda: is_well(prometheus), 30, "all to be well")
        for part in ("worker", "cron"):  # A worker that was killed counts as alive for 45 s more.
            system.parts[part].kill()
        could_lose_sales(prometheus, own_redis)
        has_a_slow_disk(prometheus, own_redis)
        has_little_memory_and_no_folder(prometheus, own_redis)
        system.parts["web"].kill()
        prometheus.wait_fired("SeatingDown")
        system.start_part("web")
        own_redis.client().unlink(*keys.all_of(forgotten))
        prometheus.wait_fired("SeatingWorkerGone", "SeatingCronGone", "SeatingLag", "SeatingMissing", within_s=60)
    goes_back(system, prometheus, own_redis, database)
    postgres_server.pause()
    try:
        prometheus.wait_fired("SeatingSqlDown")
    finally:
        postgres_server.resume()
    for part in ("worker", "cron"):
        system.start_part(part)
    prometheus.wait_fired("SeatingLoss")
    settle(system)
    mended = ("SeatingWorkerGone", "SeatingCronGone", "SeatingLag", "SeatingMissing", "SeatingUntrusted")
    prometheus.wait_ended(*mended, "SeatingSqlDown", "SeatingRedisDown", "SeatingLoss", "SeatingDown")
    has_poison(system, prometheus, database)
    has_an_endpoint_that_gets_nothing(system, prometheus)
    lacks_what_it_acknowledged(system, prometheus, own_redis, database)
    with Rush(system, buyers=4, pause_s=0.2):
        wait_until(lambda: is_well(prometheus), 60, "all alerts to end")
    assert prometheus.fired == alerts()


def is_well(prometheus: Prometheus) -> bool:
    """Whether no alert fires though there are purchases to judge by."""
    query = "seating:purchase_slow:ratio_rate5m%20and%20on()%20seating_workers"
    judged = prometheus.get(f"/api/v1/query?query={query}").json["data"]["result"]
    return bool(judged) and not prometheus.firing()


def could_lose_sales(prometheus: Prometheus, server: RedisServer) -> None:
    """An administrator turns the fsync off."""
    server.client().config_set("appendfsync", "everysec")
    server.client().client_kill_filter(_type="normal")  # It is asked on every connect.
    prometheus.wait_fired("SeatingRedisNotDurable", "SeatingNotReady", "SeatingPurchaseErrors")
    server.client().config_set("appendfsync", "always")
    prometheus.wait_ended("SeatingRedisNotDurable", "SeatingNotReady")


def has_a_slow_disk(prometheus: Prometheus, server: RedisServer) -> None:
    """Every fourth fsync takes 0.7 s, because strace holds it up."""
    redis_id = str(server.client().info("server")["process_id"])
    held_up = ["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:delay_enter=700ms:when=1+4"]
    holding = subprocess.Popen([program("strace"), "-qq", "-o", os.devnull, "-p", redis_id, *held_up])
    try:
        prometheus.wait_fired("SeatingSlowFsync", "SeatingPurchaseLatency", within_s=45)
    finally:
        holding.terminate()
        holding.wait()


def has_little_memory_and_no_folder(prometheus: Prometheus, server: RedisServer) -> None:
    """A file stands where Redis would put its next append-only file; the open one goes on."""
    client, folder = server.client(), server.folder / "appendonlydir"
    maxmemory = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", int(client.info("memory")["used_memory"] / 0.85))
    aside = folder.rename(server.folder / "aside")
    folder.touch()
    with suppress(redis.ResponseError):
        client.bgrewriteaof()
    prometheus.wait_fired("SeatingRedisMemory", "SeatingAppendOnlyFile")
    client.config_set("maxmemory", maxmemory)
    folder.unlink()
    aside.rename(folder)
    client.bgrewriteaof()
    prometheus.wait_ended("SeatingRedisMemory", "SeatingAppendOnlyFile")


def goes_back(system: System, prometheus: Prometheus, server: RedisServer, database: Database) -> None:
    """Redis dies and comes back from a copy of its disk that lacks a purchase."""
    copy = server.folder.with_name("copy")
    server.copy_to(copy)
    bought = system.buy(1)
    assert bought.status == 200
    seq = int(bought.json["position"].partition("-")[2])
    noted = select(answered.c.seq).where(answered.c.event_id == _EVENT, answered.c.seq >= seq)
    wait_until(lambda: database.read(lambda sql: sql.execute(noted).scalar()), what="a note of it in SQL")
    server.kill()
    prometheus.wait_fired("SeatingRedisDown")
    shutil.rmtree(server.folder)
    copy.rename(server.folder)
    server.start()
    prometheus.wait_fired("SeatingUntrusted")


def settle(system: System) -> None:
    [loss] = system.get("/api/v1/losses").json["losses"]
    assert loss["changes"] == 1
    answer = system.request("POST", f"/api/v1/losses/{loss['id']}/settle", b'{"why": "refunded"}', _JSON)
    assert answer.status == 204


def has_poison(system: System, prometheus: Prometheus, database: Database) -> None:
    """SQL has given the seat to somebody else."""
    poison(OneProcess.build(system.redis.url, database), _EVENT, _LAST_SEAT)
    wanted = json.dumps({"seats": [_LAST_SEAT]}).encode()
    path = f"/api/v1/events/{_EVENT}/purchases"
    bought = system.request("POST", path, wanted, _JSON | {"Idempotency-Key": str(uuid.uuid4())})
    assert bought.status == 200, bought.body
    prometheus.wait_fired("SeatingQuarantine")
    place = f"{_EVENT}/{bought.json['position']}"
    assert system.request("DELETE", f"/api/v1/quarantine/{place}?why=refunded").status == 204
    prometheus.wait_ended("SeatingQuarantine")


def has_an_endpoint_that_gets_nothing(system: System, prometheus: Prometheus) -> None:
    """First there is no sender, then nobody listens."""
    body = json.dumps({"url": f"http://127.0.0.1:{free_port()}/", "eventId": _EVENT}).encode()
    added = system.request("POST", "/api/v1/webhooks", body, _JSON)
    assert added.status == 201, added.body
    assert system.buy(1).status == 200
    prometheus.wait_fired("SeatingSenderGone")
    system.start_part("sender")
    prometheus.wait_fired("SeatingWebhookFailing")
    prometheus.wait_ended("SeatingSenderGone")
    assert system.request("DELETE", f"/api/v1/webhooks/{added.json['id']}").status == 204
    prometheus.wait_ended("SeatingWebhookFailing")


def lacks_what_it_acknowledged(system: System, prometheus: Prometheus, server: RedisServer, database: Database) -> None:
    """SQL is restored from a backup, and Redis's log does not reach back to it."""
    kept = backup(database)
    for _ in range(2):
        assert system.buy(1, Prefer="wait=10").headers["Preference-Applied"] == "wait"
    server.client().xtrim(keys.log(_EVENT), maxlen=1, approximate=False)
    restore(database, kept)
    assert system.buy(1).status == 200  # It sells on; the worker finds out.
    prometheus.wait_fired("SeatingStopped")
    answer = system.request("POST", f"/api/v1/events/{_EVENT}/merge", b'{"prefer": "redis"}', _JSON)
    assert answer.status == 200, answer.body
    prometheus.wait_ended("SeatingStopped")
