"""The moment by which a request of ours has to be answered, whatever it still waits for."""

import time
from typing import Final

import gevent

from seating.domain.partner_errors import PartnerTooSlow


class Deadline:
    """Begins to run when it is made."""

    def __init__(self, within_s: float) -> None:
        self._at: Final = time.monotonic() + within_s

    @property
    def left_s(self) -> float:
        """Never less than a moment, in which whatever waits is ended."""
        return max(self._at - time.monotonic(), 0.001)

    def limit(self, grace_s: float = 0.0) -> "gevent.Timeout":
        """A context whose greenlet gets PartnerTooSlow once the deadline has passed by `grace_s`."""
        return gevent.Timeout(self.left_s + grace_s, PartnerTooSlow)
