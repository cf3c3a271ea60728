"""Asks for a seat of each event after a fault, again and again, until every event has sold: that is the recovery.

The load's buyers come back one by one, at random moments; that would measure their patience.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from typing import Final

from tests.proof.asking import Asking
from tests.proof.buyer import Venue
from tests.proof.history import HistoryFile

FIRST_PROBE: Final = 30_000
_ANSWER_WITHIN_S: Final = 2.0
_PAUSE_S: Final = 0.05


class Probes:
    """One for each event."""

    def __init__(self, port: int, venues: Sequence[Venue], seed: int, history: HistoryFile) -> None:
        self._venues = venues
        self._asking = [
            Asking(number, port, history, Random(f"{seed} {number}"), lambda: True, _ANSWER_WITHIN_S)
            for number in range(FIRST_PROBE, FIRST_PROBE + len(venues))
        ]

    def until_sold(self, within_s: float) -> bool:
        """Return whether each event has sold a seat that was asked for from now on."""
        deadline = time.monotonic() + within_s
        with ThreadPoolExecutor(len(self._venues)) as pool:
            return all(pool.map(partial(_ask_until, deadline), self._asking, self._venues))


def _ask_until(deadline: float, asking: Asking, venue: Venue) -> bool:
    """A hall may be sold out for a moment."""
    while time.monotonic() < deadline:
        key = asking.new_key()
        done = asking.once("purchase", venue.event, "POST", venue.purchases, {"quantity": 1}, key=key)
        asking.hang_up()  # Where gevent patches sockets, a connection belongs to its thread.
        if done.outcome == "ok":
            return True
        time.sleep(_PAUSE_S)
    return False
