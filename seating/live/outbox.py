"""What one socket is still to be sent. The greenlet that serves the socket writes it; others only add to it."""

import time
from typing import Final, Protocol

from gevent.event import Event

from seating.live.frames import PING

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
FAILED: Final = 1011
TRY_AGAIN_LATER: Final = 1013
"""Status codes of RFC 6455, and 1013 of its registry: the client was too slow, or what it has cannot be continued."""


class Peer(Protocol):
    """`pong_received` becomes true when the client answers a ping."""

    pong_received: bool

    def write(self, frames: bytes) -> None:
        """Blocks for as long as the client does not read. Raises OSError when it is gone."""
        ...

    def cut(self) -> None:
        """Breaks the connection; whoever is blocked in `write` gets an OSError."""
        ...


class Outbox:
    """Holds at most `limit_bytes`, or what one round brought.

    A socket that needs more is closed with TRY_AGAIN_LATER, and what waits is dropped.
    """

    __slots__ = ("_limit", "_peer", "_size", "_waiting", "_wake", "_writing_since", "code")

    def __init__(self, peer: Peer, limit_bytes: int) -> None:
        self._peer = peer
        self._limit = limit_bytes
        self._waiting: list[bytes] = []
        self._size = 0
        self._wake = Event()
        self._writing_since: float | None = None
        self.code: int | None = None

    def offer(self, frames: bytes) -> None:
        """Never blocks."""
        if self.code is not None:
            return
        if self._size and self._size + len(frames) > self._limit:
            self.close(TRY_AGAIN_LATER)
            return
        self._size += len(frames)
        self._waiting.append(frames)
        self._wake.set()

    def close(self, code: int) -> None:
        """Ends `drain` with the first code that was given; only GOING_AWAY lets out what waits."""
        if self.code is not None:
            return
        self.code = code
        if code != GOING_AWAY:
            self._waiting.clear()
        self._wake.set()

    def drain(self) -> int:
        """Writes what is offered, all that waits in one write, until the socket is to be closed; returns the code."""
        while True:
            while self._waiting:
                frames = b"".join(self._waiting)
                self._waiting.clear()
                self.write(frames)
                self._size -= len(frames)
            if self.code is not None:
                return self.code
            self._wake.clear()
            self._wake.wait()

    def write(self, frames: bytes) -> None:
        self._writing_since = time.monotonic()
        self._peer.write(frames)
        self._writing_since = None

    def ping(self) -> None:
        """A client that has not answered the ping before this one does not keep up either."""
        if not self._peer.pong_received:
            self.close(TRY_AGAIN_LATER)
        self._peer.pong_received = False
        self.offer(PING)

    def cut_if_stuck(self, for_s: float) -> None:
        """A frame that is half written cannot be followed by a proper farewell."""
        if self._writing_since is not None and time.monotonic() - self._writing_since > for_s:
            self._peer.cut()
