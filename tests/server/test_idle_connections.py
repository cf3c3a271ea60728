"""How long a connection may be idle, and that a proxy does not send into one that we close."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from seating.server.client_socket import IDLE_IN_NEED_S
from tests.nginx import running_nginx
from tests.server.conftest import Echo
from tests.servers import wait_until
from tests.system import Client, free_port
from tests.web import connect, read_answer

Serve = Callable[..., Echo]

_HEAD_WITHIN_S = 3.0

_UPSTREAM = """
upstream u{port} {{
  server 127.0.0.1:{upstream};
  keepalive 8;
  keepalive_timeout 60s;
}}
server {{
  listen 127.0.0.1:{port};
  location / {{
    proxy_pass http://u{port};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
  }}
}}
"""
_POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    settings = {"KEEPALIVE_S": "75", "WEB_CONNECTIONS": "16", "ECHO_HEAD_WITHIN_S": str(_HEAD_WITHIN_S)}
    started = Echo(tmp_path_factory.mktemp("echo"), None, settings)
    yield started
    started.process.terminate()
    assert started.process.wait(40) == 0


def _ask(connection: socket.socket, request: bytes = _POST) -> int:
    connection.sendall(request)
    return read_answer(connection).status


def _is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(10)


def test_a_head_has_its_own_deadline(echo: Echo) -> None:
    """Whether it is the first of its connection or not. Between two requests, a client has KEEPALIVE_S."""
    with ExitStack() as stack:
        later, idle = (stack.enter_context(connect(echo)) for _ in range(2))
        assert [_ask(later), _ask(idle)] == [200, 200]
        silent, begun = (stack.enter_context(connect(echo)) for _ in range(2))
        for connection in (begun, later):
            connection.sendall(_POST[:20])
        started = time.monotonic()
        wait_until(lambda: all(_is_closed(one) for one in (silent, begun, later)), 15, "all to be cut")
        assert time.monotonic() - started > _HEAD_WITHIN_S - 1
        assert _ask(idle) == 200


def test_idle_connections_make_room(echo: Echo) -> None:
    """When a process has all that it can serve, and no sooner than after a while."""
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(echo)) for _ in range(16)]
        assert {_ask(connection) for connection in idle} == {200}
        started = time.monotonic()
        assert echo.get("/pid").status == 200
        assert IDLE_IN_NEED_S - 1 < time.monotonic() - started < IDLE_IN_NEED_S + 10


def test_a_proxy_that_closes_first_loses_nothing(serve: Serve, tmp_path: Path) -> None:
    """nginx is stopped while a request comes to it and, where KEEPALIVE_S is shorter than its own, its connection ends.

    It then sends the request into a closed connection, and may not repeat a POST.
    """
    echos = serve(KEEPALIVE_S="1"), serve()
    ports = free_port(), free_port()
    pairs = zip(ports, echos, strict=True)
    servers = "".join(_UPSTREAM.format(port=port, upstream=echo.port) for port, echo in pairs)
    with running_nginx(tmp_path / "nginx", servers) as nginx, ExitStack() as stack:
        wait_until(lambda: Client(ports[0]).get("/pid").status == 200, what="nginx to answer")
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 20)) for port in ports]
        assert [_ask(client) for client in clients] == [200, 200]
        nginx.suspend()
        wait_until(lambda: nginx.status() == psutil.STATUS_STOPPED)
        for client in clients:
            client.sendall(_POST)
        wait_until(lambda: [_established(echo) for echo in echos] == [0, 1], what="the first server to close")
        nginx.resume()
        assert [read_answer(client).status for client in clients] == [502, 200]


def _established(echo: Echo) -> int:
    (worker,) = echo.workers()
    return sum(connection.status == psutil.CONN_ESTABLISHED for connection in worker.net_connections("tcp"))
