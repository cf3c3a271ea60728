"""gunicorn's response, with the head and the first part of the body in one write."""

import time
from functools import lru_cache
from typing import Any, Final

from gunicorn.http.message import TOKEN_RE  # type: ignore[import-untyped]
from gunicorn.http.wsgi import HEADER_VALUE_RE, Response  # type: ignore[import-untyped]
from gunicorn.util import http_date, is_hoppish  # type: ignore[import-untyped]

from seating.web.security_headers import COMMON

_LAST_CHUNK: Final = b"0\r\n\r\n"
_PREPARED: Final = frozenset(COMMON)
"""Our own headers, on nearly every response: they need no checks."""


class JoinedResponse(Response):  # type: ignore[misc]
    """`unsent` is the head, until the first part of the body is sent with it."""

    headers_sent: bool
    unsent: bytes = b""

    @property
    def begun(self) -> bool:
        """Whether any of it was sent."""
        return self.headers_sent and not self.unsent

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        for header in headers:
            if header in _PREPARED:
                self.headers.append(header)
                continue
            name, value = header
            if _is_plain(name) and isinstance(value, str) and HEADER_VALUE_RE.fullmatch(value):
                self.headers.append((name, value.strip(" \t")))
            else:
                super().process_headers([(name, value)])

    def default_headers(self) -> list[str]:
        connection = "upgrade" if self.upgrade else "close" if self.should_close() else "keep-alive"
        major, minor = self.req.version
        head = f"HTTP/{major}.{minor} {self.status}\r\nServer: {self.version}\r\n"
        coding = "Transfer-Encoding: chunked\r\n" if self.chunked else ""
        return [head, _date(int(time.time())), f"Connection: {connection}\r\n", coding]

    def send_headers(self) -> None:
        if not self.headers_sent:
            lines = [f"{name}: {value}\r\n" for name, value in self.headers]
            # Not sent yet: `_send` joins it with the first part of the body, for one write.
            self.unsent = "".join((*self.default_headers(), *lines, "\r\n")).encode("latin-1")
            self.headers_sent = True

    def close(self) -> None:
        self.send_headers()
        self._send(_LAST_CHUNK if self.chunked else b"")

    def _emit_body(self, data: bytes) -> None:
        if data:
            self._send(b"%X\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    def _send(self, data: bytes) -> None:
        joined = self.unsent + data
        self.unsent = b""
        if joined:
            self.sock.sendall(joined)


@lru_cache(maxsize=256)
def _is_plain(name: Any) -> bool:
    """Return whether a header of this name is sent as it is. gunicorn checks the others and refuses invalid names."""
    return bool(TOKEN_RE.fullmatch(name)) and name.lower() != "content-length" and not is_hoppish(name)


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return f"Date: {http_date(second)}\r\n"
