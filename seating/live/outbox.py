"""The frames that wait to be sent to one socket. Only the outbox writes to the socket."""

import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import gevent

from seating.telemetry import metrics

_FINAL_TEXT: Final = 0x81
_FINAL_CLOSE: Final = 0x88
_FINAL_PING: Final = 0x89
"""First bytes of a server's frames (RFC 6455, section 5.2): unmasked, never fragmented."""
_MOST_REASON_BYTES: Final = 123

PING: Final = bytes((_FINAL_PING, 0))

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
FAILED: Final = 1011
TRY_AGAIN_LATER: Final = 1013
"""Close codes of RFC 6455. 1013, from its IANA registry: the client is too slow, or its feed cannot be continued."""

_STUCK_S = 10.0
"""How long a client may take no bytes. Then the connection is cut: no close frame can follow half a frame."""
_FAREWELL_S = 1.0
"""How long a client may take to answer the close frame."""


class Outbox:
    """Holds at most `limit_bytes`, or a single larger batch.

    A socket that needs more is closed with TRY_AGAIN_LATER, and its waiting frames are dropped. `connection` is a
    gevent socket. The reader sets `heard` whenever the client sends something.
    """

    __slots__ = ("_connection", "_cut_at_s", "_limit", "_size", "_waiting", "_writer", "code", "heard")

    def __init__(self, connection: "socket.socket", limit_bytes: int) -> None:
        self._connection = connection
        self._limit = limit_bytes
        self._waiting: list[bytes] = []
        self._size = 0
        self._writer: gevent.Greenlet[..., None] | None = None
        self._cut_at_s: float | None = None
        self.code: int | None = None
        self.heard = True

    def offer(self, frames: bytes) -> None:
        """Queue `frames` for the next `flush`."""
        if self.code is not None:
            return
        # A single larger batch passes, since it could be sent at no other time.
        if self._size and self._size + len(frames) > self._limit:
            metrics.SLOW_CLIENTS.labels("full").inc()
            self.close(TRY_AGAIN_LATER)
            return
        self._size += len(frames)
        self._waiting.append(frames)

    def flush(self) -> None:
        """Write all waiting frames at once. Never blocks: another greenlet writes what the client does not take."""
        # A writer that is at work takes what was added meanwhile.
        if self._writer or not self._waiting:
            return
        frames = self._take()
        try:
            written = self._connection.send(frames, timeout=0.0)  # type: ignore[call-arg]
        except BlockingIOError:
            written = 0
        except OSError:
            self.cut()
            return
        self._size -= written
        if written < len(frames):
            self._writer = gevent.spawn(self._write, frames[written:])

    def wait_written(self, within_s: float | None = None) -> None:
        """Wait until the client has taken everything or the connection has broken, at most `within_s`."""
        self.flush()
        if self._writer:
            self._writer.join(within_s)
        # While a client catches up it is not read from, so its pongs go unseen. Taking bytes shows that it is alive.
        self.heard = True

    def close(self, code: int) -> None:
        """Send a close frame; only the first call counts. Waiting frames are sent first only before GOING_AWAY."""
        if self.code is not None:
            return
        if code != GOING_AWAY:
            self._waiting.clear()
        self._waiting.append(close_frame(code))
        self.code = code
        self.flush()
        # A writer sets the time itself, once the client has taken the close frame.
        if not self._writer:
            self._cut_at_s = time.monotonic() + _FAREWELL_S

    def ping(self) -> None:
        """Send a ping. A client that has sent nothing since the last one is closed as too slow."""
        if not self.heard and self.code is None:
            metrics.SLOW_CLIENTS.labels("silent").inc()
            self.close(TRY_AGAIN_LATER)
        self.heard = False
        self.offer(PING)
        self.flush()

    def cut_if_overdue(self) -> None:
        if self._cut_at_s is not None and time.monotonic() > self._cut_at_s:
            if self.code is None:
                metrics.SLOW_CLIENTS.labels("stuck").inc()
            self.cut()

    def cut(self) -> None:
        """Break the connection; its reader sees the end of the stream."""
        self.code = self.code or NORMAL
        self._waiting.clear()
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _take(self) -> bytes:
        frames = b"".join(self._waiting)
        self._waiting.clear()
        return frames

    def _write(self, frames: bytes) -> None:
        try:
            while frames:
                # For each batch anew: a client that has taken one is alive.
                self._cut_at_s = time.monotonic() + _STUCK_S
                self._connection.sendall(frames)
                self._size -= len(frames)
                frames = self._take()
        except OSError:
            self.cut()
        self._cut_at_s = time.monotonic() + _FAREWELL_S if self.code is not None else None
        self._writer = None


def text_frame(text: str) -> bytes:
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((_FINAL_TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((_FINAL_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_FINAL_TEXT, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """`reason` is cut to the 123 bytes that a close frame has room for."""
    # A reason has to be UTF-8 (RFC 6455, section 5.5.1), so no character may be cut in half.
    text = reason.encode()[:_MOST_REASON_BYTES].decode(errors="ignore").encode()
    return bytes((_FINAL_CLOSE, 2 + len(text))) + code.to_bytes(2, "big") + text


def text_frames(texts: Iterable[str]) -> bytes:
    """Return many messages as bytes for one write."""
    return b"".join(map(text_frame, texts))
