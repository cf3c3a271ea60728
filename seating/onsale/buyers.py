"""One buyer: a key of its own, a connection of its own, and what came of them."""

import random
import time
import uuid
from enum import StrEnum
from typing import Final

import gevent
from gevent.event import Event

from seating.onsale.sale import Sale, code_of
from seating.onsale.server import Answer, Broken, Client

TRIES: Final = 5
"""Times that one request is sent at most, all with the same key, while connections break under it."""

_FIRST_PAUSE_S: Final = 0.1


class Outcome(StrEnum):
    SOLD = "sold"
    REFUSED = "refused"
    FAILED = "failed"


class Buyer:
    """Buys once; `repeats` buyers send the request that succeeded a second time, as impatient people do.

    After `buy`: `answer` is the first one (None: every connection broke), at `answered_at` on the performance counter,
    `second` that to the repetition, and `broken` counts broken connections.
    """

    def __init__(self, sale: Sale, repeats: bool) -> None:
        self.repeats = repeats
        self.answer: Answer | None = None
        self.second: Answer | None = None
        self.answered_at = 0.0
        self.broken = 0
        self._sale = sale
        self._client = Client(sale.server)
        self._headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}

    def connect(self) -> None:
        """A connection that cannot be opened now is tried again when it is needed."""
        try:
            self._client.open()
        except Broken:
            self.broken += 1

    def buy(self, start: Event) -> None:
        start.wait()
        self.answer = self._ask()
        self.answered_at = time.perf_counter()
        if self.repeats and self.outcome is Outcome.SOLD:
            self.second = self._ask()
        self._client.close()

    @property
    def outcome(self) -> Outcome:
        match self.answer:
            case Answer(status=200):
                return Outcome.SOLD
            case Answer(status=409):
                return Outcome.REFUSED
        return Outcome.FAILED

    @property
    def reason(self) -> str:
        """Status and code of a refusal or failure."""
        return f"{self.answer.status}{code_of(self.answer)}" if self.answer else "broken connection"

    @property
    def may_have_bought(self) -> bool:
        """Whether it failed in a way that leaves open if seats were sold."""
        return self.outcome is Outcome.FAILED and (self.answer is None or self.answer.status >= 500)

    def _ask(self) -> Answer | None:
        for tried in range(TRIES):
            try:
                return self._client.exchange("POST", self._sale.purchase_path, self._sale.order, self._headers)
            except Broken:
                self.broken += 1
                gevent.sleep(_FIRST_PAUSE_S * 2**tried * random.uniform(0.5, 1.5))
        return None
