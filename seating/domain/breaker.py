"""What a circuit breaker is, whatever it guards."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class BreakerState(StrEnum):
    """HALF_OPEN: the wait is over, and one probe is to show whether the service is back."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class CallOutcome(StrEnum):
    """ABANDONED: the call tells nothing about the service, since its caller gave it up or was only told to wait."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    ABANDONED = "ABANDONED"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Opens at `failure_threshold` failures within the window, for `reset_timeout_ms`, twice as long after each failed
    probe up to `max_reset_timeout_ms`. A probe that has not ended after `probe_lease_ms` is taken for dead.
    """

    failure_threshold: int
    failure_window_ms: int
    reset_timeout_ms: int
    max_reset_timeout_ms: int
    probe_lease_ms: int


class Admission(NamedTuple):
    """Leave to make calls. `turn` goes up with every change of state and every probe, so that outcomes of calls from
    before are recognised as late; None where the breaker could not be asked.
    """

    turn: int | None
    is_probe: bool


class Refused(Exception):
    """The breaker lets no call out now. `retry_after_ms` is the time until it may let one out."""

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
