"""Answers are gunicorn's, byte for byte, in one write where there is one piece."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidHeader, InvalidHeaderName
from gunicorn.http.wsgi import Response

from seating.server.responses import JoinedResponse
from tests.web import table

LENGTH = ("Content-Length", "5")


class Request:
    def __init__(self, method: str, version: tuple[int, int], closes: bool) -> None:
        self.method, self.version, self._closes = method, version, closes

    def should_close(self) -> bool:
        return self._closes


class Wire:
    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.writes.append(data)


def written(kind: type[Response], request: Request, status: str, headers: Any, items: Sequence[bytes]) -> list[bytes]:
    wire = Wire()
    response = kind(request, wire, Config())
    response.start_response(status, headers)
    for item in items:
        response.write(item)
    response.close()
    return wire.writes


@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize("version", [(1, 1), (1, 0)])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("status", "headers", "items"),
    table(
        {
            "usual": ("200 OK", [("A", "b"), LENGTH], [b"hello"]),
            "nothing": ("200 OK", [("Content-Length", "0")], []),
            "in pieces": ("200 OK", [LENGTH], [b"he", b"", b"llo"]),
            "more than announced": ("200 OK", [LENGTH], [b"hello, ", b"world"]),
            "of unknown length": ("200 OK", [("A", "b")], [b"hello", b"", b"world"]),
            "of unknown length and empty": ("200 OK", [], []),
            "no content": ("204 No Content", [LENGTH], []),
            "not modified": ("304 Not Modified", [("ETag", '"a"')], []),
            "without a reason": ("200", [LENGTH], [b"hello"]),
            "blanks and Latin 1": (
                "200 OK",
                [("A", " \tb\xe9 "), ("Set-Cookie", "a"), ("Set-Cookie", "b"), LENGTH],
                [],
            ),
            "of the hop": ("200 OK", [("Connection", "close"), ("Keep-Alive", "x"), ("Date", "x"), LENGTH], [b"hello"]),
            "an upgrade": ("101 Switching Protocols", [("Connection", "Upgrade"), ("Upgrade", "websocket")], []),
        }
    ),
)
def test_the_same_bytes(
    method: str, version: tuple[int, int], closes: bool, status: str, headers: Any, items: list[bytes]
) -> None:
    ours, theirs = (
        written(kind, Request(method, version, closes), status, headers, items) for kind in (JoinedResponse, Response)
    )
    assert _undated(b"".join(ours)) == _undated(b"".join(theirs))
    assert len(ours) <= max(1, len([item for item in items if item]) + 1)


def _undated(data: bytes) -> bytes:
    return re.sub(rb"Date: [^\r]+", b"Date: now", data)


def test_one_piece_is_one_write() -> None:
    assert len(written(JoinedResponse, Request("GET", (1, 1), False), "200 OK", [LENGTH], [b"hello"])) == 1


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (("A b", "c"), InvalidHeaderName),
        (("", "c"), InvalidHeaderName),
        (("A", "b\r\nC: d"), InvalidHeader),
        (("A", "b\0"), InvalidHeader),
        ((b"A", "b"), TypeError),
        (("A", b"b"), TypeError),
    ],
)
def test_what_is_no_header_is_refused(header: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        written(JoinedResponse, Request("GET", (1, 1), False), "200 OK", [header], [])
