"""The fast parser: reads unmistakably plain requests with llhttp in its strict mode.

Everything else (expectations, upgrades, trailers, repeated headers, HTTP/1.0, a head in several pieces, whatever llhttp
refuses) goes to gunicorn's parser, unchanged. tests/server/test_fuzz_bytes.py compares the two: this parser accepts
nothing that gunicorn's refuses or reads differently.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any, Final
from urllib.parse import unquote_to_bytes

try:
    from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
except ImportError:  # No wheel for this platform.
    AVAILABLE = False
else:
    AVAILABLE = True

_METHODS: Final = {name.encode(): name for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")}
_VERSION: Final = b" HTTP/1.1"
_MOST_HEAD_BYTES: Final = 8192
# Six digits are far more than one read can bring; a longer size is gunicorn's to judge.
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,6})\r\n")
_NAME: Final = re.compile(rb"[A-Za-z0-9-]+")
_NOT_PLAIN: Final = frozenset({b"EXPECT", b"UPGRADE"})


class PlainRequest:
    """`rest` is what followed it, or what has arrived of an incomplete body, whose size is `pending`."""

    __slots__ = ("closes", "environ", "method", "pending", "rest")

    version = (1, 1)

    def __init__(self, method: str, environ: dict[str, Any], rest: bytes, pending: int, closes: bool) -> None:
        self.method = method
        self.environ = environ
        self.rest = rest
        self.pending = pending
        self.closes = closes

    def should_close(self) -> bool:
        return self.closes


class _Head:
    """llhttp's callbacks, all of them C. The dictionary keeps the last value; the count reveals repeated headers."""

    __slots__ = ("on_header", "on_url")

    def __init__(self, fields: dict[bytes, bytes], targets: list[bytes]) -> None:
        self.on_header = fields.__setitem__
        self.on_url = targets.append


class PlainReader:
    """`base` is common to all environs; `peer` to those of one connection."""

    def __init__(self, base: Mapping[str, Any], most_line_bytes: int, most_fields: int) -> None:
        self._base = base
        self._most_line = most_line_bytes
        self._most_fields = most_fields

    def read(self, data: bytes, peer: Mapping[str, Any]) -> PlainRequest | None:
        """Return the plain request at the start of `data`, its head (and a chunked body) complete; else None."""
        # Searched before llhttp runs: most that is not plain ends here, at little cost.
        end = data.find(b"\r\n\r\n", 0, _MOST_HEAD_BYTES)
        line_end = data.find(b"\r\n", 0, self._most_line + 2)
        target_end = line_end - len(_VERSION)
        if end < 0 or target_end < 0 or data[target_end:line_end] != _VERSION:
            return None
        method_bytes, _, target = data[:target_end].partition(b" ")
        method = _METHODS.get(method_bytes)
        fields = _fields(data[: end + 4], target)
        # As many lines as headers, so none is folded or repeated.
        if method is None or fields is None or not self._most_fields >= len(fields) == data.count(b"\r\n", 0, end):
            return None
        environ = self._environ(method, target.decode(), fields, peer)
        if environ is None:
            return None
        # Anything but these two words may name headers to drop, which is gunicorn's business.
        closes = environ.get("HTTP_CONNECTION", "keep-alive").lower()
        if closes not in ("keep-alive", "close"):
            return None
        return _with_body(method, environ, data, end + 4, closes == "close")

    def _environ(
        self, method: str, target: str, fields: dict[bytes, bytes], peer: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        environ = {**self._base, **peer}
        path, _, query = target.partition("?")
        environ["REQUEST_METHOD"] = method
        environ["QUERY_STRING"] = query
        environ["RAW_URI"] = target
        environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
        size = len(environ)
        for name, value in fields.items():
            # As gunicorn does: white space around a value is no part of it (RFC 9110, section 5.5).
            environ[_key(name)] = value.decode("latin-1").strip(" \t")
        # Two names became one key, or a header is not plain: gunicorn's parser decides.
        if len(environ) != size + len(fields) or "" in environ:
            return None
        return environ


def _fields(head: bytes, target: bytes) -> dict[bytes, bytes] | None:
    """Return the headers if llhttp accepts the head and finds the same target in it."""
    # What one server takes for a path, another may take for a host or a fragment: gunicorn's parser decides.
    if not target.startswith(b"/") or target.startswith(b"//") or b"#" in target or not target.isascii():
        return None
    fields: dict[bytes, bytes] = {}
    targets: list[bytes] = []
    try:
        HttpRequestParser(_Head(fields, targets)).feed_data(head)
    except (HttpParserError, HttpParserUpgrade):
        return None
    return fields if targets == [target] else None


@lru_cache(maxsize=1024)
def _key(name: bytes) -> str:
    """Return a header's name in the environ; "" for one that this parser does not handle."""
    upper = name.upper()
    if not _NAME.fullmatch(upper) or upper in _NOT_PLAIN:
        return ""
    key = upper.decode().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _with_body(method: str, environ: dict[str, Any], data: bytes, start: int, closes: bool) -> PlainRequest | None:
    length, coding = environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None:
        whole = _unchunked(data, start) if coding == "chunked" and length is None else None
        if whole is None:
            return None
        body, end = whole
    elif length is not None:
        # `int` also takes signs, underscores and other scripts' digits, which two servers may read differently.
        if not length.isascii() or not length.isdigit() or len(length) > 10:
            return None
        end = start + int(length)
        body = data[start:end]
    else:
        body, end = b"", start
    environ["wsgi.input"] = BytesIO(body)
    if end <= len(data):
        return PlainRequest(method, environ, data[end:], 0, closes)
    return PlainRequest(method, environ, data[start:], end - start, closes)


def _unchunked(data: bytes, at: int) -> tuple[bytes, int] | None:
    """Return a chunked body and where it ends; None if it is incomplete, or has extensions or trailers."""
    chunks: list[bytes] = []
    while found := _CHUNK_SIZE.match(data, at):
        size, start = int(found[1], 16), found.end()
        at = start + size
        if data[at : at + 2] != b"\r\n":
            return None
        at += 2
        if not size:
            return b"".join(chunks), at
        chunks.append(data[start : start + size])
    return None
