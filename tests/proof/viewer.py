"""A viewer of a seated event: a snapshot, then its feed, resumed or begun anew for as long as it takes.

Many of them share a process, and all of an event get the same frames, so a frame is decoded once.
"""

import json
import time
from contextlib import suppress
from functools import lru_cache
from random import Random
from typing import NamedTuple

import gevent
from gevent.event import Event

from tests.live.client import CLOSE, PING, PONG, TEXT, Refused, Socket, live
from tests.proof.asking import Connection
from tests.proof.history import ViewerMap
from tests.system import Client

_LONGEST_STALL_S = 8.0
_SMALL_BUFFER = 4096


class Change(NamedTuple):
    """A decoded message. `seats` are numbers and letters, None if the message ends what the viewer can know."""

    position: str
    since: str
    seats: list[tuple[int, str]] | None


class WatchedEvent:
    """What all viewers of an event share."""

    def __init__(self, event: str, seats: list[str]) -> None:
        self.event = event
        self._numbers = {seat: number for number, seat in enumerate(seats)}
        self.letters: dict[str, str] = {}
        self.decoded = lru_cache(maxsize=4096)(self._decode)

    def _decode(self, payload: bytes) -> Change:
        message = json.loads(payload)
        changes: list[tuple[int, str]] | None = []
        if message["type"] == "SNAPSHOT_NEEDED":
            changes = None
        elif message["type"] == "SEATS":
            for group in message.get("groups", [message]):
                changes += [(self._numbers[seat], self.letters[group["status"]]) for seat in group["seats"]]
        return Change(message["position"], message["since"], changes)


class Viewer:
    def __init__(self, number: int, port: int, plan: WatchedEvent, *, stalls: bool) -> None:
        self.number = number
        self.position = ""
        self._plan = plan
        self._random = Random(number)
        self._client = Client(port)
        self._reading = Connection(port)
        self._stalls = stalls
        self._since: str | None = None
        self._seats: list[str] = []
        self._stall_at = 0.0

    def watch(self, stopping: Event) -> None:
        """Follow the event until it is told to stop; then without stalling, until it is killed."""
        while True:
            with suppress(OSError, Refused):
                self._follow(stopping)
            gevent.sleep(self._random.uniform(0.1, 1.0))

    def shown(self) -> ViewerMap:
        return ViewerMap(self.number, self._plan.event, self.position, "".join(self._seats))

    def take_snapshot(self) -> None:
        found = self._reading.get(f"/api/v1/events/{self._plan.event}/seats")
        self._plan.letters.update({word: letter for letter, word in found["statuses"].items()})
        self._seats, self.position, self._since = list(found["seats"]), found["position"], found["since"]

    def _follow(self, stopping: Event) -> None:
        if self._since is None:
            self.take_snapshot()
        feed = Socket(
            self._client,
            live(self._plan.event, self._since),
            receive_buffer=_SMALL_BUFFER if self._stalls else None,
            quiet_s=60,
        )
        with feed:
            self._stall_at = time.monotonic() + self._random.uniform(1, 10)
            buffer = feed.unread()
            while True:
                used = 0
                while frame := _frame(buffer, used):
                    opcode, payload, used = frame
                    if opcode == TEXT:
                        if not self._apply(self._plan.decoded(payload)):
                            return
                    elif opcode == PING:
                        feed.send(PONG, payload)
                    elif opcode == CLOSE:
                        return
                buffer = buffer[used:]
                if self._stalls and not stopping.is_set() and time.monotonic() > self._stall_at:
                    stopping.wait(self._random.uniform(2, _LONGEST_STALL_S))
                    self._stall_at = time.monotonic() + self._random.uniform(1, 10)
                part = feed.connection.recv(1 << 18)
                if not part:
                    return
                buffer += part

    def _apply(self, change: Change) -> bool:
        """Return whether the feed goes on from here."""
        if change.seats is None:
            self._since = None
            return False
        for number, letter in change.seats:
            self._seats[number] = letter
        self.position, self._since = change.position, change.since
        return True


def _frame(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """Return opcode, payload and end of the frame at `at`; None if it is not complete."""
    if len(data) < at + 2:
        return None
    size, start = data[at + 1], at + 2
    if size >= 126:
        start += 2 if size == 126 else 8
        size = int.from_bytes(data[at + 2 : start], "big") if len(data) >= start else len(data)
    end = start + size
    return (data[at] & 0x0F, data[start:end], end) if end <= len(data) else None
