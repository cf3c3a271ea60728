"""What a client can take of a process: connections, files, time. And that the next one is served all the same."""

import json
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import gevent
import psutil
import pytest

from seating.server.client_socket import HEAD_WITHIN_S
from tests.server.conftest import WITHOUT_HTTPTOOLS, Echo
from tests.server.echo_app import BIG_BYTES
from tests.servers import wait_until
from tests.web import assert_problem, connect, get, read_answer

Serve = Callable[..., Echo]

PLAIN = get("/pid")
NOT_PLAIN = get("/pid", "X-Twice: 1", "X-Twice: 2")
OLD = b"GET /pid HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
BOTH_ROADS = pytest.mark.parametrize("request_bytes", [PLAIN, NOT_PLAIN], ids=["plain", "not plain"])


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    """One for the tests that leave it as it is."""
    started = Echo(tmp_path_factory.mktemp("echo"), None, {})
    yield started
    started.process.terminate()
    assert started.process.wait(40) == 0


def ask(connection: socket.socket, request_bytes: bytes = PLAIN) -> bytes:
    connection.sendall(request_bytes)
    answer = read_answer(connection)
    assert answer.status == 200
    return answer.body


def test_without_httptools_the_careful_road_serves_alone(serve: Serve) -> None:
    echo = serve(PYTHONPATH=WITHOUT_HTTPTOOLS)
    assert "httptools missing, using gunicorn's slower parser" in echo.log.read_text()
    with connect(echo) as connection:
        assert ask(connection) == ask(connection, NOT_PLAIN)


def test_requests_of_both_roads_take_turns_on_one_connection(echo: Echo) -> None:
    """All sent at once, in pieces that end anywhere; each gets its answer, in order."""
    bodies = [f"body {number}" for number in range(12)]
    framings = (
        lambda body: f"Content-Length: {len(body)}\r\n\r\n{body}",
        lambda body: f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}\r\n0\r\n\r\n",
        lambda body: f"Transfer-Encoding: chunked\r\n\r\n{len(body):x};a=b\r\n{body}\r\n0\r\nX: y\r\n\r\n",
        lambda body: f"X-Twice: 1\r\nX-Twice: 2\r\nContent-Length: {len(body)}\r\n\r\n{body}",
    )
    sent = "".join(
        f"POST /echo HTTP/1.1\r\nHost: a\r\n{framings[number % 4](body)}" for number, body in enumerate(bodies)
    )
    for size in (7, 100, 10_000):
        with connect(echo) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, len(sent), size):
                connection.sendall(sent[start : start + size].encode())
            reader = connection.makefile("rb")
            assert [_body_of(reader)["body"] for _ in bodies] == bodies


def _body_of(reader: "socket.SocketIO") -> dict[str, str]:
    """The next answer's; the reader keeps what comes after it."""
    length = 0
    while (line := reader.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    found: dict[str, str] = json.loads(reader.read(length))
    return found


def test_clients_that_read_nothing_are_cut(serve: Serve) -> None:
    """Of both roads. They once held all connections of a process for ever. Nothing is kept for those who are cut."""
    within_s = 3
    echo = serve(WEB_CONNECTIONS="16", ECHO_SEND_WITHIN_S=str(within_s))
    with ExitStack() as stack:
        everybody = [stack.enter_context(socket.socket()) for _ in range(16)]
        for number, deaf in enumerate(everybody):
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", echo.port))
            deaf.sendall((PLAIN, NOT_PLAIN)[number % 2].replace(b"/pid", b"/big") * 16)
        started = time.monotonic()
        assert echo.get("/pid").status == 200
        assert time.monotonic() - started < within_s + 5
        wait_until(
            lambda: not any(_unsent_bytes(echo, deaf) for deaf in everybody), 5, "their responses to be forgotten"
        )
        assert echo.metric('seating_http_deadlines_missed_total{wait="send"}') >= 1


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux shows what the kernel keeps of a connection")
def test_the_kernel_keeps_little_of_what_is_not_read(echo: Echo) -> None:
    """It once took four megabytes for each client, and copied them before it was noticed that nobody reads."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", echo.port))
        deaf.sendall(PLAIN.replace(b"/pid", b"/big") * 16)
        wait_until(lambda: _unsent_bytes(echo, deaf) > 0, what="the first response to begin")
        for _ in range(3):
            assert echo.get("/pid").status == 200
        assert _unsent_bytes(echo, deaf) < 500_000


def _unsent_bytes(echo: Echo, client: socket.socket) -> int:
    """What the kernel keeps for a client of its responses, as far as it shows that (proc(5), `/proc/net/tcp`)."""
    if not psutil.LINUX:
        return 0
    ends = f":{echo.port:04X}", f":{client.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines():
        words = line.split()
        if words[1].endswith(ends[0]) and words[2].endswith(ends[1]):
            return int(words[4].partition(":")[0], 16)
    return 0


def test_a_flood_is_cut_and_holds_up_nobody(echo: Echo) -> None:
    """On both roads: a body without an end, faster than it can be thrown away, after a request that wants none."""

    def flood(request_bytes: bytes) -> float:
        started = time.monotonic()
        with connect(echo) as connection, suppress(ConnectionError):
            connection.sendall(request_bytes.replace(b"\r\n\r\n", b"\r\nContent-Length: 1000000000000\r\n\r\n"))
            while True:
                connection.sendall(bytes(1 << 20))
        return time.monotonic() - started

    floods = [gevent.spawn(flood, request_bytes) for request_bytes in (PLAIN, NOT_PLAIN)]
    gevent.sleep(0)
    while not all(flooding.ready() for flooding in floods):
        started = time.monotonic()
        assert echo.get("/pid").status == 200
        assert time.monotonic() - started < 2
    assert max(flooding.get() for flooding in floods) < HEAD_WITHIN_S + 10
    assert echo.metric('seating_http_deadlines_missed_total{wait="body"}') == len(floods)


@pytest.mark.parametrize("request_bytes", [PLAIN, NOT_PLAIN, OLD], ids=["plain", "not plain", "HTTP/1.0"])
def test_requests_without_a_pause_hold_up_nobody(echo: Echo, request_bytes: bytes) -> None:
    """From a client that reads every response. Everybody else in the process once waited until it ended."""
    with connect(echo) as busy:
        busy.settimeout(None)

        def ask_on() -> None:
            with suppress(ConnectionError):
                while True:
                    busy.sendall(request_bytes * 5_000)

        def read_on() -> None:
            with suppress(ConnectionError):
                while busy.recv(1 << 20):
                    pass

        halves = [gevent.spawn(ask_on), gevent.spawn(read_on)]
        for _ in range(10):
            started = time.monotonic()
            assert echo.get("/pid").status == 200
            assert time.monotonic() - started < 2
        assert not any(half.ready() for half in halves)
        gevent.killall(halves)


@pytest.mark.parametrize("request_bytes", [PLAIN, NOT_PLAIN, OLD], ids=["plain", "not plain", "HTTP/1.0"])
def test_a_response_arrives_although_the_body_was_not_read(echo: Echo, request_bytes: bytes) -> None:
    """And the connection closes after it: the kernel once dropped the response, because of the unread data."""
    lines = f"Connection: close\r\nContent-Length: {8 * BIG_BYTES}\r\n\r\n".encode()
    head = request_bytes.replace(b"Connection: keep-alive\r\n", b"").removesuffix(b"\r\n")
    for _ in range(5):
        with connect(echo) as connection:
            connection.sendall(head + lines + bytes(8 * BIG_BYTES))
            assert read_answer(connection).status == 200


def test_a_slow_reader_gets_it_all(echo: Echo) -> None:
    with connect(echo) as slow:
        slow.sendall(get("/big"))
        assert len(read_answer(slow).body) == BIG_BYTES


def test_an_address_has_so_many_connections(serve: Serve) -> None:
    """And a proxy's has as many as there are."""
    echo = serve(HTTP_CONNECTIONS_PER_ADDRESS="8")
    with ExitStack() as stack:
        connections: list[socket.socket] = []
        while len(connections) < 8:  # Those that asked before may not have left yet.
            connection = stack.enter_context(connect(echo))
            connection.sendall(PLAIN)
            if read_answer(connection).status == 200:
                connections.append(connection)
        with connect(echo) as refused:
            answer = read_answer(refused)
            assert_problem(answer, 429, "TOO_MANY_CONNECTIONS")
            assert answer.headers["Retry-After"] == "5"
        with socket.create_connection(("127.0.0.1", echo.port), 10, ("127.0.0.2", 0)) as another:
            assert ask(another)
        connections[0].close()

        def counted() -> bool:
            answer = echo.get("/metrics")
            return answer.status == 200 and b"\nseating_http_connections_refused_total" in answer.body

        wait_until(counted, 5, "the place of the one that left")
    proxied = serve(HTTP_CONNECTIONS_PER_ADDRESS="8", TRUSTED_PROXIES="127.0.0.0/8")
    with ExitStack() as stack:
        for _ in range(20):
            assert ask(stack.enter_context(connect(proxied)))


def test_a_reload_takes_new_settings(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WEB_CONNECTIONS=100\n")
    echo = serve(inside=tmp_path)
    assert echo.get("/connections").body == b"100"
    (tmp_path / ".env").write_text("WEB_CONNECTIONS=200\n")
    echo.process.send_signal(signal.SIGHUP)
    wait_until(lambda: echo.get("/connections").body == b"200", 30, "a process with the new setting")


def test_a_reload_takes_no_invalid_settings(serve: Serve, tmp_path: Path) -> None:
    """The master once exited, and the whole instance with it. What runs stays, and the next reload works."""
    file = tmp_path / ".env"
    file.write_text("WEB_CONNECTIONS=100\n")
    echo = serve(inside=tmp_path)
    serving = echo.get("/pid").body

    def is_refused(reason: str) -> None:
        echo.process.send_signal(signal.SIGHUP)
        wait_until(lambda: reason in echo.log.read_text(), 30, f"the reload to be refused: {reason}")
        assert echo.process.poll() is None
        assert echo.get("/pid").body == serving

    file.write_text("WEB_CONNECTIONS=many\n")
    is_refused("WEB_CONNECTIONS: ")
    file.write_bytes(b"ADMIN_TOKEN=\xff\n")
    is_refused(".env: must be UTF-8")
    if sys.platform == "linux":
        file.unlink()
        file.symlink_to("/proc/self/mem")  # Not even root can read its first bytes.
        is_refused(".env: cannot be read: Input/output error")
    file.unlink()
    assert echo.log.read_text().count("web server not reloaded") == (3 if sys.platform == "linux" else 2)
    file.write_text("WEB_CONNECTIONS=200\n")
    echo.process.send_signal(signal.SIGHUP)
    wait_until(lambda: echo.get("/connections").body == b"200", 30, "a process with the new setting")


def test_a_soft_limit_of_open_files_is_raised(serve: Serve) -> None:
    echo = serve(open_files=(1024, 4096))
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(echo)) for _ in range(1100)]
        assert ask(connections[0]) == ask(connections[-1])


def test_at_the_limit_of_open_files_accepting_waits(serve: Serve) -> None:
    """Who is in is served, nothing spins, and who waits is served when there is room."""
    echo = serve(open_files=(512, 512))
    assert "open file limit too low" in echo.log.read_text()
    (process,) = echo.workers()
    with ExitStack() as stack, connect(echo) as first:
        ask(first)
        connections = [stack.enter_context(connect(echo)) for _ in range(1100)]
        ask(first)
        before, started = sum(process.cpu_times()[:2]), time.monotonic()
        wait_until(lambda: time.monotonic() - started > 1, 2)
        assert sum(process.cpu_times()[:2]) - before < 0.3
        assert ask(first)
        for connection in connections[:800]:
            connection.close()
        assert ask(connections[-1])


def test_a_process_has_a_lifetime(serve: Serve) -> None:
    echo = serve(GUNICORN_CMD_ARGS="--max-requests 5")
    pids = set()
    wait_until(lambda: pids.add(echo.get("/pid").body) or len(pids) >= 3, 30, "the third process")


def test_the_wait_for_a_process_is_measured(echo: Echo) -> None:
    """By the kernel's clock, from the first bytes on: the process was not there to see them come."""
    (process,) = echo.workers()
    process.suspend()
    with connect(echo) as connection:
        connection.sendall(PLAIN)
        started = time.monotonic()
        wait_until(lambda: time.monotonic() - started > 0.3, 2)
        process.resume()
        assert read_answer(connection).status == 200
    assert echo.metric('seating_http_accept_wait_seconds_bucket{le="0.2"}') < echo.metric(
        'seating_http_accept_wait_seconds_bucket{le="+Inf"}'
    )


@BOTH_ROADS
def test_what_has_begun_is_answered_at_the_end(serve: Serve, request_bytes: bytes) -> None:
    """SIGTERM while the client still sends its body."""
    echo = serve()
    head, _, _ = request_bytes.replace(b"GET /pid", b"POST /echo").partition(b"\r\n\r\n")
    with connect(echo) as connection:
        ask(connection)
        connection.sendall(head + b"\r\nContent-Length: 4\r\n\r\nbo")
        echo.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not _accepts(echo), 10, "the listening socket to close")
        connection.sendall(b"dy")
        answer = read_answer(connection)
        assert (answer.json["body"], answer.headers["Connection"]) == ("body", "close")


def _accepts(echo: Echo) -> bool:
    try:
        with connect(echo):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("processes", [2, 4])
def test_a_crowd_is_spread_evenly(serve: Serve, processes: int) -> None:
    """Without the board one process of two took up to four fifths of a crowd, and one of four sometimes none."""
    echo = serve(WEB_WORKERS=str(processes))

    def shares() -> list[int]:
        with ExitStack() as stack:
            connections = [stack.enter_context(connect(echo)) for _ in range(64 * processes)]
            return list(Counter(ask(connection) for connection in connections).values())

    wait_until(lambda: len(shares()) == processes, 20, "all processes to serve")
    found = shares()
    assert len(found) == processes
    assert min(found) >= 32
