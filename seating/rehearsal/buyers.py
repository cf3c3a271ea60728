"""The crowd: each buyer has its own key and connection, and all of them buy at once."""

import json
import random
import time
import uuid
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import gevent
from gevent.event import Event
from gevent.pool import Pool

from seating.rehearsal.sale import RehearsedSale, code_of
from seating.rehearsal.server import BROKEN, Reply, ask

TRIES: Final = 5
"""How often one request is sent at most, always with the same key, while its connections break."""

_FIRST_PAUSE_S: Final = 0.1
_CONNECTING_AT_ONCE: Final = 64

Progress = Callable[[], None]
"""Called once for each buyer or purchase that is done."""


class BuyerOutcome(StrEnum):
    SOLD = "sold"
    REFUSED = "refused"
    FAILED = "failed"


class Rush(NamedTuple):
    """The time from the release to the last response, on the performance counter.

    `client_cpu_s` is the CPU time of this process meanwhile.
    """

    started_at: float
    ended_at: float
    client_cpu_s: float

    @property
    def duration_s(self) -> float:
        return self.ended_at - self.started_at


class Buyer:
    """Buys once. With `repeats`, it sends the successful request a second time, as impatient people do.

    After `buy`: `answer` is the first response (None: every connection broke), at `answered_at` on the performance
    counter; `second` is the response to the repetition; `broken` counts broken connections.
    """

    def __init__(self, sale: RehearsedSale, repeats: bool) -> None:
        self.repeats = repeats
        self.answer: Reply | None = None
        self.second: Reply | None = None
        self.answered_at = 0.0
        self.broken = 0
        self._connection = sale.server.connection()
        self._path = sale.server.prefix + sale.purchase_path
        self._order = json.dumps({"quantity": sale.quantity}).encode()
        self._headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}

    def connect(self) -> None:
        """Try to connect in advance. If that fails, or the server closes the connection, it is opened when needed."""
        try:
            self._connection.connect()
        except OSError:
            self.broken += 1
            self._connection.close()

    def buy(self, start: Event) -> None:
        start.wait()
        self.answer = self._ask()
        self.answered_at = time.perf_counter()
        if self.repeats and self.outcome is BuyerOutcome.SOLD:
            self.second = self._ask()
        self._connection.close()

    @property
    def outcome(self) -> BuyerOutcome:
        by_status = {200: BuyerOutcome.SOLD, 409: BuyerOutcome.REFUSED}
        return by_status.get(self.answer.status, BuyerOutcome.FAILED) if self.answer else BuyerOutcome.FAILED

    @property
    def reason(self) -> str:
        """Return status and code of a refusal or failure."""
        return f"{self.answer.status}{code_of(self.answer)}" if self.answer else "broken connection"

    @property
    def may_have_bought(self) -> bool:
        """Return whether it failed with an unknown outcome."""
        return self.answer is None or self.answer.status >= 500

    def _ask(self) -> Reply | None:
        for tried in range(TRIES):
            try:
                return ask(self._connection, "POST", self._path, self._order, self._headers)
            except BROKEN:
                # It may have taken effect.
                self.broken += 1
                # At random, or buyers whose connections broke together would return together.
                gevent.sleep(_FIRST_PAUSE_S * 2**tried * random.uniform(0.5, 1.5))
        return None


def gather(sale: RehearsedSale, count: int, repeating_percent: int) -> list[Buyer]:
    """Return `count` buyers; the given share of them, spread evenly, repeat their request."""
    repeating = [buyers * repeating_percent // 100 for buyers in range(count + 1)]
    return [Buyer(sale, repeats=repeating[i + 1] > repeating[i]) for i in range(count)]


def connect(buyers: Sequence[Buyer], connected: Progress) -> None:
    """Open every connection before the first request is sent."""
    for _ in Pool(_CONNECTING_AT_ONCE).imap_unordered(Buyer.connect, buyers):
        connected()


def release(buyers: Sequence[Buyer], answered: Progress) -> Rush:
    """Let all of them buy at once, and wait for the last response."""
    start = Event()
    greenlets = [gevent.spawn(buyer.buy, start) for buyer in buyers]
    gevent.idle()  # All greenlets are waiting for the start now.
    cpu_before_s = time.process_time()
    started_at = time.perf_counter()
    start.set()
    for greenlet in gevent.iwait(greenlets):
        greenlet.get()
        answered()
    return Rush(started_at, time.perf_counter(), time.process_time() - cpu_before_s)
