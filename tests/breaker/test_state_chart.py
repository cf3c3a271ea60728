"""The whole state chart of the breaker, as hypothesis walks through it, against a plain model."""

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from seating.domain.breaker import Admission, BreakerState, CallOutcome, Refused
from tests.breaker.conftest import POLICY, Bench
from tests.fuzz_runs import fuzz_runs, takes_long
from tests.servers import RedisServer


@dataclass
class Model:
    """A breaker said in the most obvious way, for one process and one clock."""

    now: int
    jitter: float = 0.0
    opened_at: int | None = None
    probe_at: int = 0
    lease_until: int = 0
    row: int = 0
    openings: int = 0
    failures: list[int] = field(default_factory=list)
    current: list[int] = field(default_factory=list)

    def state(self) -> BreakerState:
        if self.opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.now < self.probe_at else BreakerState.HALF_OPEN

    def allow(self) -> str | tuple[BreakerState, int]:
        if self.state() is BreakerState.CLOSED:
            return "closed"
        if self.state() is BreakerState.OPEN:
            return BreakerState.OPEN, self.probe_at - self.now
        if self.now < self.lease_until:
            return BreakerState.HALF_OPEN, self.lease_until - self.now
        self.lease_until = self.now + POLICY.probe_lease_ms
        self.current.clear()
        return "probe"

    def record(self, call: int, outcome: CallOutcome) -> None:
        if call not in self.current:
            return
        if self.opened_at is None:
            if outcome is CallOutcome.FAILURE:
                self.failures.append(self.now)
                if len(self.recent()) >= POLICY.failure_threshold:
                    self.opened_at = self.now
                    self.open()
            return
        self.current.clear()
        self.lease_until = 0
        if outcome is CallOutcome.FAILURE:
            self.open()
        elif outcome is CallOutcome.SUCCESS:
            self.opened_at, self.row = None, 0

    def open(self) -> None:
        self.row += 1
        self.openings += 1
        waits = [POLICY.reset_timeout_ms]
        while len(waits) < self.row:
            waits.append(min(2 * waits[-1], POLICY.max_reset_timeout_ms))
        jittered = int(waits[-1] + waits[-1] * int(100_000 * self.jitter) / 1_000_000)
        self.probe_at = self.now + min(jittered, POLICY.max_reset_timeout_ms)
        self.failures.clear()
        self.current.clear()

    def recent(self) -> list[int]:
        return [at for at in self.failures if self.now - at <= POLICY.failure_window_ms]


class StateChart(RuleBasedStateMachine):
    server: RedisServer
    calls = Bundle("calls")

    @initialize()
    def begin(self) -> None:
        self.bench = Bench(self.server)
        self.model = Model(self.bench.now_ms)
        self.holders = [self.bench.breaker(jitter=lambda: self.model.jitter) for _ in range(2)]
        self.number = 0

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.bench.close()

    @rule(ms=st.sampled_from([1, 999, 5_000, 6_000, 9_999, 10_000, 15_000, 30_000, 30_001, 60_000]))
    def time_passes(self, ms: int) -> None:
        self.bench.advance(ms)
        self.model.now = self.bench.now_ms

    @rule(ms=st.sampled_from([-1, 0, 1]))
    def time_passes_to_an_edge(self, ms: int) -> None:
        """Just before, at, or just after the next moment on which something depends."""
        model = self.model
        edges = [model.probe_at, model.lease_until, *(at + POLICY.failure_window_ms for at in model.failures)]
        coming = [edge + ms for edge in edges if edge + ms > model.now]
        if coming:
            self.time_passes(min(coming) - model.now)

    @rule(jitter=st.sampled_from([0.0, 0.25, 0.999]))
    def the_die_is_cast(self, jitter: float) -> None:
        self.model.jitter = jitter

    @rule(target=calls, holder=st.integers(0, 1))
    def ask(self, holder: int) -> tuple[int, Admission | None]:
        self.number += 1
        expected = self.model.allow()
        if not isinstance(expected, str):
            with pytest.raises(Refused) as refused:
                self.holders[holder].allow()
            assert (refused.value.state, refused.value.retry_after_ms) == expected
            return self.number, None
        admission = self.holders[holder].allow()
        assert expected == ("probe" if admission.is_probe else "closed")
        self.model.current.append(self.number)
        return self.number, admission

    @rule(call=consumes(calls), holder=st.integers(0, 1), outcome=st.sampled_from(CallOutcome))
    def a_call_ends(self, call: tuple[int, Admission | None], holder: int, outcome: CallOutcome) -> None:
        number, admission = call
        if admission is not None:
            self.holders[holder].record(admission, outcome)
            self.model.record(number, outcome)

    @rule(holder=st.integers(0, 1), outcome=st.sampled_from(CallOutcome))
    def a_call_is_made(self, holder: int, outcome: CallOutcome) -> None:
        """Asked and ended at once: what leads deep into the chart most quickly."""
        self.a_call_ends(self.ask(holder), holder, outcome)

    @rule(holder=st.integers(0, 1))
    def everything_fails(self, holder: int) -> None:
        for _ in range(POLICY.failure_threshold):
            self.a_call_is_made(holder, CallOutcome.FAILURE)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        model = self.model
        open_now = model.opened_at is not None
        expected = (
            model.state(),
            model.opened_at,
            max(model.probe_at, model.lease_until) if open_now else None,
            len(model.recent()[-POLICY.failure_threshold :]),
            model.openings,
        )
        assert self.holders[0].report() == expected


@takes_long
def test_the_state_chart(redis_server: RedisServer) -> None:
    machine = type("Machine", (StateChart,), {"server": redis_server})
    machine.TestCase.settings = settings(
        max_examples=fuzz_runs(25), stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )
    machine.TestCase("runTest").runTest()
