"""A client's connection, with a deadline for every wait on it."""

import math
import struct
import time
from collections.abc import Sequence
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Final, Literal

from gevent import get_hub
from gevent.socket import socket
from greenlet import getcurrent

from seating.telemetry import metrics

Wait = Literal["idle", "head", "body", "send"]

HEAD_WITHIN_S: Final = 5.0
BODY_WITHIN_S: Final = 10.0
SEND_WITHIN_S: Final = 20.0
"""For one piece that the application hands over, usually the whole answer."""

_FORGET: Final = struct.pack("ii", 1, 0)
_NEVER: Final = math.inf
_LOOK_EVERY_S: Final = 0.5


class ClientSocket(socket):
    """`recv` and `sendall` raise TimeoutError once the deadline has passed, up to half a second late.

    A deadline for reading is absolute: a byte now and then does not move it.
    """

    __slots__ = ("due", "read_by", "reading", "waiting", "waits_for")

    def __init__(self, family: int, kind: int, proto: int, fileno: int) -> None:
        super().__init__(family, kind, proto, fileno)
        self.read_by = self.due = _NEVER
        self.reading: Wait = "idle"
        self.waits_for: Wait = "idle"
        self.waiting: Any = None

    def read_within(self, seconds: float, reading: Wait) -> None:
        """Everything that is read from now on has to come within `seconds`."""
        self.read_by = time.monotonic() + seconds
        self.reading = reading

    def read_whenever(self) -> None:
        """For a WebSocket, which has pings for this."""
        self.read_by = _NEVER

    def recv(self, *args: Any) -> bytes:
        if self.read_by == _NEVER:
            return super().recv(*args)
        if self.read_by < time.monotonic():  # What comes all the time, or just now, is not waited for.
            _count_missed(self.reading)
            raise TimeoutError(self.reading)
        self._wait_until(self.read_by, self.reading)
        try:
            return super().recv(*args)
        finally:
            self.due = _NEVER

    def sendall(self, data: Any, flags: int = 0) -> None:
        try:  # Mostly the kernel has room for all of it, and there is nothing to wait for.
            sent = self.send(data, flags, timeout=0.0)  # type: ignore[call-arg]
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            return
        self._wait_until(time.monotonic() + SEND_WITHIN_S, "send")
        try:
            super().sendall(memoryview(data)[sent:], flags)
        except TimeoutError:
            # Closing it is to forget what was not read, which the kernel would otherwise keep for minutes.
            self.setsockopt(SOL_SOCKET, SO_LINGER, _FORGET)
            raise
        finally:
            self.due = _NEVER

    def _wait_until(self, due: float, waits_for: Wait) -> None:
        """`due` is set for as long as this greenlet waits here and no longer, so nothing else is ever interrupted."""
        self.waiting, self.waits_for, self.due = getcurrent(), waits_for, due


class Deadlines:
    """Looks at all connections now and then, which costs less than a timer for every wait."""

    def __init__(self, clients: Sequence[set[ClientSocket]]) -> None:
        self._clients = clients
        self._timer = get_hub().loop.timer(_LOOK_EVERY_S, _LOOK_EVERY_S)

    def start(self) -> None:
        self._timer.start(self._look)

    def _look(self) -> None:
        """Runs in the hub, where greenlets can be interrupted at once: what is due now is due when it is raised."""
        now = time.monotonic()
        for client in [client for open_ones in self._clients for client in open_ones if client.due < now]:
            if client.due < now:
                _count_missed(client.waits_for)
                client.waiting.throw(TimeoutError(client.waits_for))


def _count_missed(wait: Wait) -> None:
    if wait != "idle":
        metrics.count_missed_deadline(wait)
