"""The crowd: each buyer has a key and a connection of its own, and all of them buy in one moment."""

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
"""Times that one request is sent at most, all with the same key, while connections break under it."""

_FIRST_PAUSE_S: Final = 0.1
_CONNECTING_AT_ONCE: Final = 64

Progress = Callable[[], None]
"""Called once for each buyer, or purchase, that is done."""


class BuyerOutcome(StrEnum):
    SOLD = "sold"
    REFUSED = "refused"
    FAILED = "failed"


class Rush(NamedTuple):
    """From the release to the last answer, on the performance counter.

    `client_cpu_s` is what this process itself computed meanwhile.
    """

    started_at: float
    ended_at: float
    client_cpu_s: float

    @property
    def duration_s(self) -> float:
        return self.ended_at - self.started_at


class Buyer:
    """Buys once; `repeats` buyers send the request that succeeded a second time, as impatient people do.

    After `buy`: `answer` is the first one (None: every connection broke), at `answered_at` on the performance counter,
    `second` that to the repetition, and `broken` counts broken connections.
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
        """A connection that cannot be opened now, or that the server closes meanwhile, opens when it is needed."""
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
        """Status and code of a refusal or failure."""
        return f"{self.answer.status}{code_of(self.answer)}" if self.answer else "broken connection"

    @property
    def may_have_bought(self) -> bool:
        """Whether it failed in a way that leaves open if seats were sold."""
        return self.answer is None or self.answer.status >= 500

    def _ask(self) -> Reply | None:
        for tried in range(TRIES):
            try:
                return ask(self._connection, "POST", self._path, self._order, self._headers)
            except BROKEN:
                # Whether it had its effect is not known.
                self.broken += 1
                gevent.sleep(_FIRST_PAUSE_S * 2**tried * random.uniform(0.5, 1.5))
        return None


def gather(sale: RehearsedSale, count: int, repeating_percent: int) -> list[Buyer]:
    """`count` buyers, of whom that share, spread evenly, sends its request twice."""
    repeating = [buyers * repeating_percent // 100 for buyers in range(count + 1)]
    return [Buyer(sale, repeats=repeating[i + 1] > repeating[i]) for i in range(count)]


def connect(buyers: Sequence[Buyer], connected: Progress) -> None:
    """Opens every connection before the first request goes out."""
    for _ in Pool(_CONNECTING_AT_ONCE).imap_unordered(Buyer.connect, buyers):
        connected()


def release(buyers: Sequence[Buyer], answered: Progress) -> Rush:
    """Lets all of them buy in one moment, and waits for the last answer."""
    start = Event()
    greenlets = [gevent.spawn(buyer.buy, start) for buyer in buyers]
    gevent.idle()  # Each of them has come to the start line.
    cpu_before_s = time.process_time()
    started_at = time.perf_counter()
    start.set()
    for greenlet in gevent.iwait(greenlets):
        greenlet.get()
        answered()
    return Rush(started_at, time.perf_counter(), time.process_time() - cpu_before_s)
