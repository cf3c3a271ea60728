"""Guards calls to the event partner with circuit breakers, one for each kind of call."""

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import structlog

from seating.domain import partner_errors
from seating.domain.breaker import Admission, BreakerReport, BreakerState, CallOutcome, Refused
from seating.domain.errors import SeatingError
from seating.redis_store.breaker import Breaker
from seating.telemetry import metrics
from seating.telemetry.metrics import Reading

T = TypeVar("T")

_STATES: Final = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}

_log = structlog.get_logger(__name__)


class CircuitBreakers:
    """Decides what counts as a failure: 5xx, timeouts and broken connections (PartnerFailed).

    4xx and malformed responses do not: the partner is up, and holding calls back would not fix them. 429 is neither
    a failure nor a sign of health, so it leaves the breaker as it is; so does a call that waited for its turn too long.
    """

    def __init__(self, breakers: Sequence[Breaker]) -> None:
        self._breakers = {breaker.name: breaker for breaker in breakers}

    def call(self, kind: str, work: Callable[[], T]) -> T:
        """Make one guarded call and return its result. Raises PartnerUnavailable at once if the breaker refuses."""
        return self.run(kind, self.admit(kind), work)

    def admit(self, kind: str) -> Admission:
        """Admit one call if it is a probe, else all calls of one request. Raises PartnerUnavailable."""
        try:
            admission = self._breakers[kind].allow()
        except Refused as refused:
            metrics.PARTNER_CALLS.labels(kind, "refused").inc()
            raise partner_errors.PartnerUnavailable(refused) from None
        if admission.turn is None:
            metrics.PARTNER_CALLS.labels(kind, "unguarded").inc()
        return admission

    def run(self, kind: str, admission: Admission, work: Callable[[], T]) -> T:
        """Return the result of `work`, and record its outcome in the breaker."""
        # The outcome of a call that is killed: if it was a probe, the next caller may probe at once.
        outcome = CallOutcome.ABANDONED
        started = time.perf_counter()
        try:
            answer = work()
            outcome = CallOutcome.SUCCESS
        # Says nothing about its health: our own limits, or the partner's.
        except (partner_errors.CatalogueBusy, partner_errors.PartnerThrottled, partner_errors.TurnTooLate):
            raise
        except partner_errors.PartnerFailed as error:
            outcome = CallOutcome.FAILURE
            _log.warning(
                "partner call failed",
                call=kind,
                code=error.code,
                error=str(error.__cause__ or error),
                ms=round((time.perf_counter() - started) * 1000, 1),
            )
            raise
        # Its answer was unwelcome, but it answered.
        except SeatingError:
            outcome = CallOutcome.SUCCESS
            raise
        finally:
            metrics.PARTNER_CALLS.labels(kind, outcome.lower()).inc()
            self._breakers[kind].record(admission, outcome)
        return answer

    def reports(self) -> dict[str, BreakerReport]:
        """Return each breaker's state; empty while Redis does not answer."""
        reports: dict[str, BreakerReport] = {}
        for name, breaker in self._breakers.items():
            report = breaker.report()
            # The others would wait for the same Redis in turn.
            if report is None:
                return {}
            reports[name] = report
        return reports

    def readings(self) -> list[Reading]:
        return [
            reading
            for name, report in self.reports().items()
            for reading in (
                metrics.BREAKER_STATE.reads(_STATES[report.state], name),
                metrics.BREAKER_OPENED.reads(_s(report.opened_at_ms), name),
                metrics.BREAKER_PROBE.reads(_s(report.next_probe_at_ms), name),
                metrics.BREAKER_FAILURES.reads(report.failures, name),
                metrics.BREAKER_OPENINGS.reads(report.openings, name),
            )
        ]


def _s(at_ms: int | None) -> float:
    return (at_ms or 0) / 1000
