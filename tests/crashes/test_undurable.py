"""A Redis whose settings change while seats are sold."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import RedisServer, new_sqlite, wait_until
from tests.system import System


@pytest.fixture
def running(own_redis: RedisServer, tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path / "data", own_redis, new_sqlite(tmp_path / "seating.db"))
    try:
        yield system.start("cron", "web")
    finally:
        system.stop()


def test_nothing_is_sold_while_it_could_be_lost(running: System, own_redis: RedisServer) -> None:
    client = own_redis.client()
    client.config_set("appendfsync", "everysec")
    client.client_kill_filter(_type="normal", skipme=True)
    for _ in range(5):
        answer = running.buy()
        assert (answer.status, answer.json["code"]) == (503, "INVENTORY_UNAVAILABLE")
    assert running.get("/seats").status == 200
    ready = running.get("/ready")
    assert ready.status == 503
    redis = ready.json["checks"]["redis"]
    assert (redis["status"], redis["missing"]) == ("not durable", "appendfsync always")
    log = running.parts["web"].log.read_text()
    assert log.count("redis not durable") == 1, log
    assert "appendfsync always" in log
    client.config_set("appendfsync", "always")
    wait_until(lambda: running.get("/ready").status == 200, what="the news, though nobody buys")
    assert running.buy().status == 200
