"""What the organiser does meanwhile: takes seats off sale and gives them back, pauses a sale and resumes it."""

import json
from collections.abc import Callable
from typing import Any, Final

import gevent

from tests.proof.asking import Asking, Connection
from tests.proof.buyer import Venue

_MOST_SEATS: Final = 60


class Organiser:
    def __init__(self, asking: Asking, port: int) -> None:
        self._asking = asking
        self._random = asking.random
        self._reading = Connection(port)

    def set_seats_of(self, venue: Venue) -> None:
        """Set many seats that are free at the moment to something else, and back, again and again."""

        def change() -> Callable[[], Any]:
            seats = self._free(venue)[: self._random.randint(5, _MOST_SEATS)]
            self._set(venue, self._random.choice(("reserved", "held", "sold")), seats)
            return lambda: self._set(venue, "available", seats)

        self._again_and_again(change, 1.0)

    def pause(self, venue: Venue) -> None:
        """Pause the sale for a moment, again and again."""

        def change() -> Callable[[], Any]:
            self._put(venue, "paused")
            return lambda: self._put(venue, "on_sale")

        self._again_and_again(change, 5.0)

    def _again_and_again(self, change: Callable[[], Callable[[], Any]], pause_s: float) -> None:
        while self._asking.goes_on():
            gevent.sleep(self._random.uniform(0.5, 2) * pause_s)
            undo = change()
            gevent.sleep(self._random.uniform(0.3, 1.5))
            undo()

    def _free(self, venue: Venue) -> list[str]:
        status, body, _ = self._reading.send("GET", f"/api/v1/events/{venue.event}/seats", None, {})
        letters = json.loads(body)["seats"] if status == 200 and body else ""
        free = [seat for seat, letter in zip(venue.seats, letters, strict=False) if letter == "a"]
        self._random.shuffle(free)
        return free

    def _set(self, venue: Venue, status: str, seats: list[str]) -> None:
        if seats:
            path = f"/api/v1/events/{venue.event}/seats"
            self._asking.surely("set_seats", venue.event, "PATCH", path, {"status": status, "seats": seats})

    def _put(self, venue: Venue, state: str) -> None:
        self._asking.surely("state", venue.event, "PATCH", f"/api/v1/events/{venue.event}", {"state": state})
