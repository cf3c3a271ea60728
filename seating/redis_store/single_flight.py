"""Lets one process fetch a key while others wait: a short lease, and the holder's outcome for the followers."""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

from seating.domain.errors import LoadFailed, SharedStateUnavailable
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.failures import SharedState
from seating.telemetry import metrics

_TOKEN = re.compile(rb"[0-9a-f]{16}")
_FIRST_LOOK_S = 0.005
_LONGEST_LOOK_S = 0.05
# Followers poll far more often than this.
_OUTCOME_KEPT_MS = 2000


class Lease:
    """The right to fetch `key`. `until`: earliest possible expiry, on a monotonic clock that runs on during a stop."""

    def __init__(self, key: str, token: str, until: float) -> None:
        self.key = key
        self.token = token
        self.until = until

    @property
    def is_held(self) -> bool:
        return time.monotonic() < self.until


class SingleFlight:
    """A holder that dies or is stopped delays others for at most `lease_s`; a working one renews its lease.

    Raises SharedStateUnavailable if Redis does not answer.
    """

    def __init__(self, calls: Calls, name: str, *, lease_s: float = 2.0) -> None:
        self._shared = SharedState(calls)
        self._name = name
        # Processes that are merely slow would lose a shorter one.
        self._lease_s = lease_s

    def begin(self, key: str) -> Lease | str:
        """Return the lease, or the token of the flight in progress."""
        # Before the call: Redis begins to count later, so this clock ends first.
        until = time.monotonic() + self._lease_s
        token = secrets.token_hex(8)
        flight = keys.flight(self._name, key)
        (other,) = self._shared.commands(("SET", flight, token, "NX", "GET", "PX", self._lease_ms))
        if other is None:
            return Lease(key, token, until)
        if not _TOKEN.fullmatch(other):
            # Otherwise nobody would end the flight.
            metrics.DROPPED.labels("flight").inc()
            self._shared.commands(("DEL", flight))
        return str(other.decode(errors="replace"))

    def follow(self, key: str, token: str, deadline: float) -> bytes | None:
        """Wait for the flight's outcome; None if the flight was lost. Raises LoadFailed at `deadline` (monotonic)."""
        watched = keys.flight(self._name, key), keys.landed(self._name, key, token)
        look_s = _FIRST_LOOK_S
        while time.monotonic() < deadline:
            holder, outcome = self._shared.commands(("MGET", *watched))[0]
            if outcome is not None or holder != token.encode():
                found: bytes | None = outcome
                return found
            gevent.sleep(look_s)
            # Most flights land within milliseconds; the others are not worth a question each.
            look_s = min(look_s * 2, _LONGEST_LOOK_S)
        raise LoadFailed

    def land(self, lease: Lease, outcome: bytes) -> None:
        """End the flight and give any `outcome` to its followers, unless the lease has expired."""
        watched = keys.flight(self._name, lease.key), keys.landed(self._name, lease.key, lease.token)
        self._shared.script("flight_land", watched, lease.token, outcome, _OUTCOME_KEPT_MS)

    @contextmanager
    def renewing(self, lease: Lease) -> Iterator[None]:
        """Renew the lease until the block ends."""
        renewer = gevent.spawn(self._renew_on, lease)
        try:
            yield
        finally:
            renewer.kill(block=False)

    @property
    def _lease_ms(self) -> int:
        return round(self._lease_s * 1000)

    def _renew_on(self, lease: Lease) -> None:
        flight = keys.flight(self._name, lease.key)
        while True:
            # Two renewals may fail before the lease ends.
            gevent.sleep(self._lease_s / 3)
            until = time.monotonic() + self._lease_s
            try:
                if not self._shared.script("flight_renew", (flight,), lease.token, self._lease_ms):
                    return
            except SharedStateUnavailable:
                continue  # The lease may still exist at the next attempt, which will tell.
            lease.until = until
