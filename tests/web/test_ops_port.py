"""The port for operations: three routes, whatever buyers do on the other one."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from seating.config import InvalidSettings, load_settings
from tests.servers import RedisServer, new_sqlite, wait_until
from tests.system import Client, System, free_port
from tests.web import assert_problem, connect, exchange, get, read_answer

CONNECTIONS = 16


@pytest.fixture
def system(own_redis: RedisServer, tmp_path: Path) -> Iterator[System]:
    """One process that serves few connections."""
    settings = {"WEB_WORKERS": "1", "WEB_CONNECTIONS": str(CONNECTIONS), "OPS_BIND": f"127.0.0.1:{free_port()}"}
    running = System(tmp_path / "data", own_redis, new_sqlite(tmp_path / "seating.db"), **settings)
    try:
        yield running.start("web")
    finally:
        running.stop()


def test_three_routes_that_answer_while_buyers_have_all_connections(system: System) -> None:
    ops = Client(int(system.environment["OPS_BIND"].rpartition(":")[2]))
    for path in ("/health", "/ready", "/metrics"):
        assert ops.get(path).status == system.get(path).status == 200
    assert b"seating_redis_up 1.0" in ops.get("/metrics", {"Accept": "text/plain"}).body
    for path in ("/", "/api/v1/event", "/users", "/openapi.json", "/docs/", "/seats"):
        assert system.get(path).status == 200
        assert_problem(ops.get(path), 404, "NOT_FOUND")
    assert_problem(ops.buy(1), 404, "NOT_FOUND")
    socket_asked = get("/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    assert_problem(exchange(ops, socket_asked), 404, "NOT_FOUND")
    with ExitStack() as buyers:
        for _ in range(CONNECTIONS):
            buyers.enter_context(connect(system)).sendall(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: not answers(system), what="all connections to be taken")
        begun = time.monotonic()
        assert [ops.get(path).status for path in ("/health", "/ready", "/metrics")] == [200] * 3
        assert time.monotonic() - begun < 1
        assert not answers(system)


def answers(client: Client) -> bool:
    """Whether a new connection is served within a moment."""
    with connect(client) as connection:
        connection.settimeout(0.5)
        connection.sendall(get("/health"))
        try:
            return read_answer(connection).status == 200
        except TimeoutError:
            return False


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:0", "::1:9000", "a b:9000"])
def test_an_address_that_is_none(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_BIND", address)
    with pytest.raises(InvalidSettings, match=r"^OPS_BIND: must be of the form host:port"):
        load_settings()


def test_one_port_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_BIND", "127.0.0.2:3000")
    with pytest.raises(InvalidSettings, match=r"^OPS_BIND must have another port than PORT"):
        load_settings()


def test_an_ipv6_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_BIND", "[::1]:9000")
    assert load_settings().ops_address == ("::1", 9000)
