"""A client's connection, with a deadline for every wait on it."""

import math
import socket as sockets
import struct
import time
from collections.abc import Callable, Sequence
from socket import IPPROTO_TCP, MSG_PEEK, SO_LINGER, SOL_SOCKET
from typing import Any, Final, Literal, Protocol

from gevent import get_hub
from gevent.socket import socket
from greenlet import getcurrent

from seating.telemetry import metrics

Wait = Literal["first", "idle", "head", "body", "send"]
"""`first` is the wait for the first bytes of a connection, `idle` for those of a further request."""

HEAD_WITHIN_S: Final = 5.0
"""Also the limit for the first bytes of a new connection."""
BODY_WITHIN_S: Final = 10.0
IDLE_IN_NEED_S: Final = 5.0
SEND_WITHIN_S: Final = 20.0
"""Limit for one piece that the application sends, usually the whole response."""

# Of struct tcp_info (linux/tcp.h): eight bytes, then 32-bit words; the thirteenth is the time since the last segment.
_LAST_SEGMENT_MS: Final = struct.Struct("=56xI")
_TCP_INFO: Final[int | None] = getattr(sockets, "TCP_INFO", None)
_FORGET: Final = struct.pack("ii", 1, 0)
_NEVER: Final = math.inf
_LOOK_EVERY_S: Final = 0.5


class ClientSocket(socket):
    """`recv` and `sendall` raise TimeoutError once the deadline has passed, up to half a second late.

    A deadline for reading is absolute: single bytes that trickle in do not extend it.
    """

    __slots__ = ("due", "read_by", "reading", "waiting", "waits_for")

    def __init__(self, family: int, kind: int, proto: int, fileno: int) -> None:
        super().__init__(family, kind, proto, fileno)
        self.read_by = self.due = _NEVER
        self.reading: Wait = "idle"
        self.waits_for: Wait = "idle"
        self.waiting: Any = None

    def read_within(self, seconds: float, reading: Wait) -> None:
        """Require everything that is read from now on to arrive within `seconds`."""
        self.read_by = time.monotonic() + seconds
        self.reading = reading

    def read_whenever(self) -> None:
        """Read without a deadline, for a WebSocket: it has pings instead."""
        self.read_by = _NEVER

    def silent_s(self) -> float:
        """Return how long ago the last segment with data came, by the kernel's clock; 0 if the kernel does not say.

        Before the first one, it is the time since the connection was made.
        """
        if _TCP_INFO is None:
            return 0.0
        info = self.getsockopt(IPPROTO_TCP, _TCP_INFO, _LAST_SEGMENT_MS.size)
        silent_ms: int = _LAST_SEGMENT_MS.unpack(info)[0]
        return silent_ms / 1000

    def recv(self, *args: Any) -> bytes:
        if self.read_by == _NEVER:
            return super().recv(*args)
        if self.read_by < time.monotonic():  # Data that keeps coming never waits, so check here too.
            _count_missed(self.reading)
            raise TimeoutError(self.reading)
        self._wait_until(self.read_by, self.reading)
        try:
            return super().recv(*args)
        finally:
            self.due = _NEVER

    def sendall(self, data: Any, flags: int = 0) -> None:
        # gevent's `sendall` first asks the kernel for the size of its buffer, which is one more system call.
        try:  # Usually the kernel takes all of it at once, without a wait.
            sent = self.send(data, flags, timeout=0.0)  # type: ignore[call-arg]
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            return
        self._wait_until(time.monotonic() + SEND_WITHIN_S, "send")
        try:
            super().sendall(memoryview(data)[sent:], flags)
        except TimeoutError:
            # Discard unsent data on close; the kernel would otherwise keep it for minutes.
            self.setsockopt(SOL_SOCKET, SO_LINGER, _FORGET)
            raise
        finally:
            self.due = _NEVER

    def is_overdue(self, now: float, idle_due: float) -> bool:
        """Return whether a wait has ended: one for a request if it was due before `idle_due` and nothing has come."""
        if self.waits_for != "idle" or self.due == _NEVER:
            return self.due < now
        # A request that is already here has to be answered: a proxy must not repeat a POST, and would return 502.
        return self.due < idle_due and not self._has_data()

    def _has_data(self) -> bool:
        try:
            self._sock.recv(1, MSG_PEEK)  # type: ignore[attr-defined]
        except BlockingIOError:
            return False
        except OSError:
            pass  # The greenlet that waits will see it.
        return True

    def _wait_until(self, due: float, waits_for: Wait) -> None:
        """Set `due` only while this greenlet waits here, so that nothing else is ever interrupted."""
        self.waiting, self.waits_for, self.due = getcurrent(), waits_for, due


class Clients(Protocol):
    """The connections that one limit is for."""

    clients: set[ClientSocket]

    def is_full(self) -> bool: ...


class Deadlines:
    """Checks all connections periodically, which is cheaper than a timer for every wait.

    An idle connection may wait `idle_s`, but only `IDLE_IN_NEED_S` if others need its place or the process stops.
    """

    def __init__(self, groups: Sequence[Clients], idle_s: float, stops: Callable[[], bool]) -> None:
        self._groups = groups
        # A wait notes all of `idle_s` when it begins; only later is it known whether others need its place.
        self._spared_s = max(0.0, idle_s - IDLE_IN_NEED_S)
        self._stops = stops
        self._timer = get_hub().loop.timer(_LOOK_EVERY_S, _LOOK_EVERY_S)

    def start(self) -> None:
        self._timer.start(self._look)

    def _look(self) -> None:
        """Runs in the hub, so it interrupts a greenlet at once: a wait found overdue cannot end in between."""
        now = time.monotonic()
        for group in self._groups:
            idle_due = now + (self._spared_s if group.is_full() or self._stops() else 0.0)
            for client in [client for client in group.clients if client.is_overdue(now, idle_due)]:
                # Each throw runs a greenlet, which may have ended the wait of a later one in the list.
                if client.is_overdue(now, idle_due):
                    _count_missed(client.waits_for)
                    client.waiting.throw(TimeoutError(client.waits_for))


def _count_missed(wait: Wait) -> None:
    # Browsers open connections before they need them, and idle ones end: neither client was too slow.
    if wait not in ("first", "idle"):
        metrics.MISSED_DEADLINES.labels(wait).inc()
