"""A circuit breaker whose state all processes share. Its caller decides what to guard and what counts as a failure."""

import random
import time
from collections.abc import Callable
from math import ceil
from typing import Any, Final

import gevent
import structlog

from seating.domain.breaker import Admission, BreakerPolicy, BreakerReport, BreakerState, CallOutcome, Refused
from seating.domain.errors import SharedStateUnavailable
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.failures import SharedState

# Long enough for an overloaded machine: each timeout lets a call through unguarded.
_PATIENCE_S: Final = 2.0
_JITTER_MILLIONTHS: Final = 100_000

_log = structlog.get_logger(__name__)


class Breaker:
    """One for each kind of call, by `name`. `jitter` returns numbers in [0, 1); `clock_ms` is a monotonic clock.

    Nothing shortens a wait, so a process that has learned of one refuses calls locally until it is over.

    Fails open: if Redis does not answer within two seconds, calls are admitted unguarded and their outcomes are not
    recorded. Callers have limits of their own, and a failed guard must not take down what it guards.
    """

    def __init__(
        self,
        calls: Calls,
        name: str,
        policy: BreakerPolicy,
        jitter: Callable[[], float] = random.random,
        clock_ms: Callable[[], float] = lambda: time.monotonic() * 1000,
    ) -> None:
        self.name = name
        self._shared = SharedState(calls)
        self._policy = policy
        self._jitter = jitter
        self._clock_ms = clock_ms
        self._open_until_ms = 0.0
        self._keys = (keys.breaker(name), keys.breaker_failures(name))
        self._unguarded = False
        self._seen_half_open = False

    def allow(self) -> Admission:
        """Admit a call, or make it the one probe. Raises Refused."""
        asked_at_ms = self._clock_ms()
        # Known for sure, so it needs no question to Redis.
        if asked_at_ms < self._open_until_ms:
            raise Refused(BreakerState.OPEN, ceil(self._open_until_ms - asked_at_ms))
        policy = self._policy
        reply = self._ask("breaker_allow", self._keys[:1], policy.probe_lease_ms, policy.max_reset_timeout_ms)
        if reply is None:
            return Admission(None, is_probe=False)
        answer, number = reply
        if answer == b"CLOSED":
            self._seen_half_open = False
            return Admission(number, is_probe=False)
        if answer == b"PROBE":
            # Log once per opening: a partner that keeps answering 429 gets one probe after another.
            if not self._seen_half_open:
                _log.info("breaker half-open", breaker=self.name, turn=number)
            self._seen_half_open = True
            return Admission(number, is_probe=True)
        refused = Refused(BreakerState(answer.decode()), number)
        if refused.state is BreakerState.OPEN:
            self._seen_half_open = False
            self._open_until_ms = asked_at_ms + number
        raise refused

    def record(self, admission: Admission, outcome: CallOutcome) -> None:
        """Record how the admitted call ended. While the breaker is closed, only failures count."""
        if admission.turn is None or not (admission.is_probe or outcome is CallOutcome.FAILURE):
            return
        policy = self._policy
        reply = self._ask(
            "breaker_record",
            self._keys,
            admission.turn,
            outcome.value,
            policy.failure_threshold,
            policy.failure_window_ms,
            policy.reset_timeout_ms,
            policy.max_reset_timeout_ms,
            int(_JITTER_MILLIONTHS * self._jitter()),
        )
        match reply:
            case [b"OPENED", wait_ms, row]:
                self._seen_half_open = False
                _log.warning("breaker opened", breaker=self.name, wait_ms=wait_ms, openings_in_a_row=row)
            case [b"CLOSED"]:
                _log.info("breaker closed", breaker=self.name)

    def report(self) -> BreakerReport | None:
        """Return the current state; None if Redis does not answer."""
        policy = self._policy
        longest = (policy.probe_lease_ms, policy.max_reset_timeout_ms)
        reply = self._ask("breaker_read", self._keys, policy.failure_window_ms, *longest)
        if reply is None:
            return None
        state, opened_at_ms, next_probe_at_ms, failures, openings = reply
        return BreakerReport(
            BreakerState(state.decode()), opened_at_ms or None, next_probe_at_ms or None, failures, openings
        )

    def _ask(self, script: str, script_keys: tuple[str, ...], *args: str | int) -> list[Any] | None:
        try:
            with gevent.Timeout(_PATIENCE_S, SharedStateUnavailable(f"no reply within {_PATIENCE_S} s")):
                reply: list[Any] = self._shared.script(script, script_keys, *args)
        except SharedStateUnavailable as error:
            # Log once per outage; the metrics count the calls.
            reason = str(error.__cause__ or error)
            if not self._unguarded:
                _log.warning("breaker state unavailable", breaker=self.name, error=reason)
            self._unguarded = True
            return None
        if self._unguarded:
            _log.info("breaker state available", breaker=self.name)
        self._unguarded = False
        return reply
