"""From the same bytes the fast road reads what gunicorn's own parser reads, or leaves them to it."""

import os
import random
import re
from typing import Any, NamedTuple

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import Response, create

from seating.server import plain_requests
from seating.server.conversation import Conversation
from tests.server.raw_requests import raw_requests

CASES = int(os.environ.get("SEATING_FUZZ_BYTES", "20000"))
PEERS = (("127.0.0.1", 5000), ("192.0.2.1", 5000))
SERVER = ("127.0.0.1", 3000)


class Reading(NamedTuple):
    """What the application gets, and what is left for the next request; `body` is None if it does not end."""

    environ: dict[str, Any]
    body: bytes | None
    rest: bytes
    closes: bool


class Fed:
    """In place of a socket: the bytes in pieces, then the end."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def recv(self, _size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def send(self, data: bytes) -> int:
        return len(data)

    def read_within(self, _seconds: float, _reading: str) -> None:
        pass

    def read_whenever(self) -> None:
        pass


class Worker:
    """As much of gunicorn's as reading needs."""

    def __init__(self) -> None:
        self.cfg = Config()
        for name, value in (("limit_request_line", 4094), ("limit_request_fields", 64)):
            self.cfg.set(name, value)
        self.cfg.set("limit_request_field_size", 16_384)
        for name in ("forwarder_headers", "forwarded_allow_ips"):
            self.cfg.set(name, "")


WORKER = Worker()
CONVERSATION = Conversation(WORKER, SERVER, None)  # Nothing is answered.


def careful(data: bytes, peer: tuple[str, int]) -> Reading | None:
    """As gunicorn reads it from beginning to end; None if it refuses."""
    source = Fed([data])
    parser = RequestParser(WORKER.cfg, source, peer)
    try:
        request = next(parser)
        _, environ = create(request, source, peer, SERVER, WORKER.cfg, Response)
    except (ParseException, OSError, StopIteration):
        return None
    environ["wsgi.multithread"] = True
    return _reading(environ, request.should_close(), request.body, parser.unreader, [])


def fast(data: bytes, pieces: list[bytes], peer: tuple[str, int]) -> Reading | None:
    """As the fast road reads it, to which `data` came first and `pieces` later; None if it leaves it to the other."""
    client: Any = Fed(pieces)
    received = CONVERSATION.read_fast(client, CONVERSATION.peer(client, peer), data)
    if received is None:
        return None
    closes = received.response.req.should_close()
    if received.body is not None:
        return _reading(received.environ, closes, received.body, received.unreader, pieces)
    body = received.environ["wsgi.input"].read()
    return Reading(_kept(received.environ), body, received.rest + b"".join(pieces), closes)


def _reading(environ: dict[str, Any], closes: bool, body: Any, unreader: Any, later: list[bytes]) -> Reading:
    try:
        content = body.read()
    except (ParseException, OSError):
        return Reading(_kept(environ), None, b"", closes)
    return Reading(_kept(environ), content, unreader.take_buffered() + b"".join(later), closes)


def _kept(environ: dict[str, Any]) -> dict[str, Any]:
    """Without what belongs to one connection or one request, and without 103s, which we have no use for."""
    of_one = ("wsgi.input", "wsgi.errors", "wsgi.early_hints", "gunicorn.socket")
    return {key: value for key, value in environ.items() if key not in of_one}


def compare(seed: int, count: int) -> tuple[int, int]:
    """How many cases the fast road took, and how many the careful one refused. Fails where they differ."""
    chance = random.Random(seed)
    taken = refused = 0
    for data in raw_requests(seed, count):
        peer = chance.choice(PEERS)
        cut = chance.randrange(len(data) + 1) if chance.random() < 0.3 else len(data)
        by_the_careful = careful(data, peer)
        by_the_fast = fast(data[:cut], [data[cut:]] if cut < len(data) else [], peer)
        refused += by_the_careful is None
        if by_the_fast is not None:
            taken += 1
            assert by_the_fast == by_the_careful, (seed, data, cut, peer)
    return taken, refused


class Credulous:
    """In place of llhttp: splits, and refuses nothing."""

    def __init__(self, head: Any) -> None:
        self._head = head

    def feed_data(self, data: bytes) -> None:
        request_line, *lines = data.split(b"\r\n")[:-2]
        self._head.on_url(request_line.split(b" ", 1)[1].removesuffix(b" HTTP/1.1"))
        for line in lines:
            name, _, value = line.partition(b":")
            self._head.on_header(name, value)


needs_httptools = pytest.mark.skipif(not plain_requests.AVAILABLE, reason="there is no fast road without httptools")


@needs_httptools
def test_both_roads_read_the_same() -> None:
    """`make fuzz-bytes` runs a million cases."""
    found = [compare(seed, 1000) for seed in range(CASES // 1000)]
    taken, refused = (sum(column) for column in zip(*found, strict=True))
    assert taken > CASES / 10
    assert refused > CASES / 10


@needs_httptools
@pytest.mark.parametrize(
    ("name", "loose"),
    [
        ("_NAME", re.compile(rb"[A-Za-z0-9_-]+")),
        ("_NOT_PLAIN", frozenset()),
        ("HttpRequestParser", Credulous),
        ("_CHUNK_SIZE", re.compile(rb"([0-9A-Fa-f]{1,6})[^\r]*\r\n")),
    ],
)
def test_a_road_that_takes_too_much_is_found_out(monkeypatch: pytest.MonkeyPatch, name: str, loose: Any) -> None:
    """The twin: with one check less, the same bytes show a difference."""
    monkeypatch.setattr(plain_requests, name, loose)
    plain_requests._key.cache_clear()
    try:
        with pytest.raises(AssertionError):
            compare(0, 20_000)
    finally:
        plain_requests._key.cache_clear()
