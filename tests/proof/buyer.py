"""What a buyer does: buys, holds, pays, abandons, asks twice, returns tickets."""

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import gevent

from tests.proof.asking import Asking
from tests.proof.history import Operation

_TWICE_AT_ONCE, _TWICE_LATER, _OTHER_BODY = 0.10, 0.20, 0.25
"""Shares of the purchases, added up."""
_ABANDONED, _BOUGHT, _EXTENDED = 1 / 3, 2 / 3, 5 / 6
"""Shares of the holds, added up; the rest is released."""
_WAITS_FOR_SQL: Final = 0.1
_PAUSES_A_WAIT: Final = 1
_LONGEST_PAUSE_S: Final = 2.0


@dataclass(frozen=True)
class Venue:
    """An event and how it is asked for. `share` is that of the requests, `kept` how many purchases a buyer keeps."""

    event: str
    share: float
    kept: int
    categories: list[str] = field(default_factory=list)
    seats: list[str] = field(default_factory=list)
    plain: bool = False

    def order(self, random: Random, *, given_seats: float = 0.2) -> dict[str, Any]:
        """Return the body of a purchase or hold."""
        if self.seats and not self.plain and random.random() < given_seats:
            first = random.randrange(len(self.seats) - 3)
            return {"seats": self.seats[first : first + random.randint(1, 3)]}
        body: dict[str, Any] = {"quantity": random.choice((1, 1, 2, 2, 3, 4))}
        if self.categories and random.random() < 0.5:
            body["category"] = random.choice(self.categories)
        return body

    @property
    def purchases(self) -> str:
        return "/api/v1/purchase" if self.plain else f"/api/v1/events/{self.event}/purchases"

    @property
    def holds(self) -> str:
        return f"/api/v1/events/{self.event}/holds"


class Buyer:
    def __init__(self, asking: Asking, venues: list[Venue], think_s: float) -> None:
        self._asking = asking
        self._random = asking.random
        self._venues = venues
        self._think_s = think_s
        self._owned: dict[str, deque[str]] = {venue.event: deque() for venue in venues}

    def live(self) -> None:
        gevent.sleep(self._random.uniform(0, 2 * self._think_s))
        while self._asking.goes_on():
            (venue,) = self._random.choices(self._venues, [venue.share for venue in self._venues])
            if len(self._owned[venue.event]) > venue.kept:
                self._cancel(venue)
            elif self._random.random() < 0.15:
                self._hold(venue)
            elif self._random.random() < 0.03 and self._owned[venue.event]:
                self._read(venue)
            else:
                self._buy(venue)
            gevent.sleep(self._random.expovariate(1 / self._pause_s()))

    def _pause_s(self) -> float:
        """The mean. On a machine that does not keep up, longer: the time of an answer is to tell of faults alone."""
        return max(self._think_s, min(_PAUSES_A_WAIT * self._asking.last_wait_s, _LONGEST_PAUSE_S))

    def _buy(self, venue: Venue) -> None:
        body, key, pattern = venue.order(self._random), self._asking.new_key(), self._random.random()
        prefer = "wait=5" if self._random.random() < _WAITS_FOR_SQL else ""

        def ask(sent: dict[str, Any]) -> Operation:
            return self._asking.surely("purchase", venue.event, "POST", venue.purchases, sent, key=key, prefer=prefer)

        second = gevent.spawn(ask, body) if pattern < _TWICE_AT_ONCE else None
        self._keep(venue, ask(body))
        if second:
            second.join()
        elif pattern < _TWICE_LATER:
            gevent.sleep(self._random.uniform(0, 0.5))
            ask(body)
        elif pattern < _OTHER_BODY:
            ask({"quantity": body.get("quantity", 0) + 1})

    def _hold(self, venue: Venue) -> None:
        asking, key = self._asking, self._asking.new_key()
        held = asking.surely("hold", venue.event, "POST", venue.holds, venue.order(self._random), key=key)
        if held.outcome != "ok" or not held.answer:
            return
        token, fate = held.answer["holdToken"], self._random.random()
        if fate < _ABANDONED:
            return
        gevent.sleep(self._random.uniform(0, 1))
        path, named = f"{venue.holds}/{token}", {"hold": token}
        if fate >= _EXTENDED:
            asking.surely("release", venue.event, "DELETE", path, named=named)
            return
        if fate >= _BOUGHT:
            asking.surely("extend", venue.event, "PATCH", path, {}, named=named)
        bought = asking.surely(
            "hold_purchase",
            venue.event,
            "POST",
            f"/api/v1/events/{venue.event}/purchases",
            {"holdToken": token},
            key=asking.new_key(),
            named=named,
        )
        self._keep(venue, bought)

    def _keep(self, venue: Venue, bought: Operation) -> None:
        if bought.outcome == "ok" and bought.answer:
            self._owned[venue.event].append(bought.answer["purchaseId"])

    def _cancel(self, venue: Venue) -> None:
        purchase = self._owned[venue.event].popleft()
        self._asking.surely(
            "cancel", venue.event, "DELETE", f"/api/v1/purchases/{purchase}", named={"purchase": purchase}
        )

    def _read(self, venue: Venue) -> None:
        purchase = self._random.choice(self._owned[venue.event])
        self._asking.once("get", venue.event, "GET", f"/api/v1/purchases/{purchase}", named={"purchase": purchase})
