"""The terms of a circuit breaker, whatever it guards."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class BreakerState(StrEnum):
    """HALF_OPEN: the wait is over, and one probe will show whether the service is back."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class CallOutcome(StrEnum):
    """ABANDONED: the call says nothing about the service: its caller gave up, or was only told to wait."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    ABANDONED = "ABANDONED"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Opens at `failure_threshold` failures within the window, for `reset_timeout_ms`, twice as long after each failed
    probe up to `max_reset_timeout_ms`. A probe that has not ended after `probe_lease_ms` counts as dead.
    """

    failure_threshold: int
    failure_window_ms: int
    reset_timeout_ms: int
    max_reset_timeout_ms: int
    probe_lease_ms: int


class Admission(NamedTuple):
    """Permission to make calls. `turn` grows with every change of state and every probe, so that late outcomes are
    recognised; None if the breaker's state was unavailable.
    """

    turn: int | None
    is_probe: bool


class Refused(Exception):
    """The breaker refuses calls. `retry_after_ms` is the time until it may admit one."""

    def __init__(self, state: BreakerState, retry_after_ms: int) -> None:
        super().__init__(f"{state}, next probe in {retry_after_ms} ms")
        self.state = state
        self.retry_after_ms = retry_after_ms


class BreakerReport(NamedTuple):
    """`opened_at_ms` and `next_probe_at_ms` are in ms since 1970, None while closed. `failures` are those within the
    window, `openings` all since the breaker was first used.
    """

    state: BreakerState
    opened_at_ms: int | None
    next_probe_at_ms: int | None
    failures: int
    openings: int
