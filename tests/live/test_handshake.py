"""Who gets a socket, and what those get who do not."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import gevent
import pytest
from flask import Flask, request

from seating.domain.errors import EventNotFound
from seating.web.handshake import RefusedFeeds
from tests.live.client import TEXT, Socket, handshake, live, refusal
from tests.servers import wait_until
from tests.system import System, running_system
from tests.web import assert_problem, exchange, get, table


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One process that lets in two sockets an address, and pages of one origin."""
    folder: Path = tmp_path_factory.mktemp("strict")
    settings = {
        "WEB_CONNECTIONS": "16",
        "LIVE_CONNECTIONS_PER_ADDRESS": "2",
        "LIVE_ORIGINS": "https://shop.example, http://localhost:8080",
        "TRUSTED_PROXIES": "127.0.0.1/32",
    }
    with running_system(folder, **settings) as running:
        yield running


@pytest.mark.parametrize("path", ["/", "/api/v1/events/demo/live"])
@pytest.mark.parametrize(
    ("headers", "field"),
    table(
        {
            "no key": ({"Sec-WebSocket-Key": None}, "Sec-WebSocket-Key"),
            "a short key": ({"Sec-WebSocket-Key": "c2hvcnQ="}, "Sec-WebSocket-Key"),
            "a key that is no base 64": ({"Sec-WebSocket-Key": "%" * 24}, "Sec-WebSocket-Key"),
            "no version": ({"Sec-WebSocket-Version": None}, "Sec-WebSocket-Version"),
            "an old version": ({"Sec-WebSocket-Version": "8"}, "Sec-WebSocket-Version"),
        }
    ),
)
def test_bad_handshakes(system: System, path: str, headers: dict[str, str | None], field: str) -> None:
    assert_problem(exchange(system, handshake(path, headers)), 400, "VALIDATION_ERROR", field)


@pytest.mark.parametrize("start", ["GET {} HTTP/1.0", "HEAD {} HTTP/1.1"])
def test_only_get_and_http_1_1(system: System, start: str) -> None:
    assert exchange(system, handshake("/api/v1/events/demo/live", start=start)).status == 400


@pytest.mark.parametrize("headers", [{"Upgrade": None}, {"Upgrade": "h2c"}, {"Connection": "close"}])
def test_without_an_upgrade_there_is_no_feed(system: System, headers: dict[str, str | None]) -> None:
    refused = assert_problem(exchange(system, handshake(live("demo"), headers)), 400, "BAD_REQUEST")
    assert "connect with ws://" in refused["message"]


@pytest.mark.parametrize(
    "since",
    [
        "1",
        "x",
        "1-2-3",
        "-1",
        "0-1",
        "1-99999999999999999999",
        "9-2.",
        "9-2.0a0a0a0",
        "9-2.0A0A0A0A",
        "9-2.0a0a0a0a0",
        "9-2.0a0a0a0a.0a0a0a0a",
        ".0a0a0a0a",
    ],
)
def test_what_is_no_position(system: System, since: str) -> None:
    refused = refusal(system, live("demo", since))
    assert (refused.code, refused.reason.partition(": ")[0]) == (4400, "VALIDATION_ERROR")
    assert "Since must be a position" in refused.reason


@pytest.mark.parametrize("event", ["nosuchevent", "Not-An-Id", "%00"])
def test_no_such_event(system: System, event: str) -> None:
    refused = refusal(system, live(event))
    assert (refused.code, refused.reason) == (4404, "EVENT_NOT_FOUND: There is no such event")


def test_an_incorrect_handshake_is_refused_over_http_whatever_else_is_wrong(system: System) -> None:
    request = handshake(live("nosuchevent", "x"), {"Sec-WebSocket-Version": "8", "Origin": "https://evil.example"})
    assert_problem(exchange(system, request), 400, "VALIDATION_ERROR", "Sec-WebSocket-Version")


def test_a_refused_feed_ends_within_a_second_and_is_no_live_feed(system: System) -> None:
    """Even if the client neither reads nor leaves. The close code is counted."""
    wait_until(lambda: system.get("/seats/ws-status").json["connectedClients"] == 0)
    before = _closed_with_4404(system)
    with Socket(system, live("nosuchevent")) as stays:
        asked = time.monotonic()
        wait_until(partial(_is_gone, stays), 1.5)  # The machine may be busy.
        assert time.monotonic() - asked > 0.1, "it had time to read the reason"
        assert system.get("/seats/ws-status").json["connectedClients"] == 0
    wait_until(lambda: _closed_with_4404(system) == before + 1)


def _is_gone(sock: Socket) -> bool:
    try:
        sock.send(TEXT, b"still here")
    except ConnectionError:
        return True
    return False


def _closed_with_4404(system: System) -> float:
    lines = system.get("/metrics", {"Accept": "text/plain"}).body.decode().splitlines()
    return sum(
        float(line.rpartition(" ")[2]) for line in lines if line.startswith('seating_live_closed_total{code="4404"}')
    )


def test_so_many_refused_clients_are_waited_for() -> None:
    """The others get the error over HTTP."""
    feeds = RefusedFeeds()
    pairs = [socket.socketpair() for _ in range(64)]
    leaving = [gevent.spawn(feeds.send, ours, b"bye") for ours, _ in pairs]
    with Flask("test").test_request_context(headers={"Sec-WebSocket-Key": "c2hvcnQ="}):
        assert feeds.refuse(request, EventNotFound())
        assert [theirs.recv(9) for _, theirs in pairs] == [b"bye"] * 64
        with pytest.raises(EventNotFound):
            feeds.refuse(request, EventNotFound())
        for _, theirs in pairs:
            theirs.close()
        gevent.joinall(leaving, raise_error=True)
        assert feeds.refuse(request, EventNotFound())


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/health", 400, "BAD_REQUEST"),
        ("/api/v1/purchase", 405, "METHOD_NOT_ALLOWED"),
        ("/api/v1/events/demo/purchases/live", 404, "NOT_FOUND"),
    ],
)
def test_an_address_without_a_feed_names_those_that_have_one(system: System, path: str, status: int, code: str) -> None:
    refused = assert_problem(exchange(system, handshake(path)), status, code)
    assert refused["message"].endswith("live feeds are at / and at /api/v1/events/{id}/live")


def test_the_home_page_and_the_feed_share_an_address(system: System) -> None:
    home = system.get("/").json
    assert home["websocket"] == f"ws://127.0.0.1:{system.port}/"
    with Socket(system) as socket:
        assert socket.message()["type"] == "CONNECTED"
        assert b"sec-websocket-extensions" not in socket.head.lower()


@pytest.mark.parametrize("client", [get, lambda path, *lines: get(path, "Expect: 100-continue", *lines)])
def test_feeds_are_advertised_as_the_client_came(system: System, strict: System, client: Callable[..., bytes]) -> None:
    """On both roads; what a peer says of the client counts if it is a trusted proxy."""
    forwarded = "X-Forwarded-Proto: https", "X-Forwarded-Host: public.test"
    for server, lines, address in (
        (system, forwarded, "ws://localhost/"),
        (strict, (), "ws://localhost/"),
        (strict, forwarded[:1], "wss://localhost/"),
        (strict, forwarded, "wss://public.test/"),
    ):
        assert exchange(server, client("/", *lines)).json["websocket"] == address


@pytest.mark.parametrize(
    ("origin", "allowed"),
    table(
        {
            "none": (None, True),
            "its own": ("http://seating.test", True),
            "its own behind TLS": ("https://seating.test", True),
            "one that is listed": ("https://shop.example", True),
            "another that is listed": ("http://localhost:8080", True),
            "a listed name without TLS": ("http://shop.example", False),
            "another": ("https://evil.example", False),
            "one that ends alike": ("https://evil-shop.example", False),
            "its own, in other letters": ("HTTP://Seating.Test:80", True),
            "its own on a port that the proxy may have dropped": ("http://seating.test:81", True),
            "one that begins alike": ("http://seating.test.evil.example", False),
            "a sandbox": ("null", False),
            "an empty one": ("", False),
            "nonsense": ("http://[", False),
        }
    ),
)
def test_origins(strict: System, origin: str | None, allowed: bool) -> None:
    headers = {"Origin": origin, "X-Forwarded-For": "192.0.2.9"}
    if allowed:
        with Socket(strict, headers=headers) as socket:
            assert socket.message()["type"] == "CONNECTED"
        wait_until(lambda: strict.get("/seats/ws-status").json["connectedClients"] == 0)
    else:
        refused = refusal(strict, headers=headers)
        assert (refused.code, refused.reason.partition(": ")[0]) == (4403, "ORIGIN_NOT_ALLOWED")


def test_some_connections_are_kept_for_buyers(strict: System) -> None:
    """Three quarters of them may be live feeds."""
    wait_until(lambda: strict.get("/seats/ws-status").json["connectedClients"] == 0)
    with ExitStack() as stack:
        for number in range(12):
            socket = stack.enter_context(Socket(strict, headers={"X-Forwarded-For": f"198.51.100.{number // 2}"}))
            assert socket.message()["type"] == "CONNECTED"
        refused = refusal(strict, headers={"X-Forwarded-For": "198.51.100.99"})
        assert (refused.code, refused.reason.partition(": ")[0]) == (1013, "LIVE_FEED_FULL")
        assert strict.buy(1).status == 200


def test_an_address_has_so_many_sockets(strict: System) -> None:
    mine: dict[str, str | None] = {"X-Forwarded-For": "192.0.2.1"}
    with Socket(strict, headers=mine), Socket(strict, headers=mine) as second:
        refused = refusal(strict, headers=mine)
        assert (refused.code, refused.reason.partition(": ")[0]) == (4429, "TOO_MANY_CONNECTIONS")
        with Socket(strict, headers={"X-Forwarded-For": "192.0.2.2"}) as other:
            assert other.message()["type"] == "CONNECTED"
        second.connection.shutdown(socket.SHUT_RDWR)

        def again() -> bool:
            with Socket(strict, headers=mine) as third:
                return third.frame().opcode == TEXT

        wait_until(again, what="the place of the one that left")
