"""No figure stands in docs/reliability.md that `make prove` did not find."""

import pytest

from bench.report import machine
from tests.proof import reliability
from tests.proof.history import InjectedFault, Operation, RecordedHistory
from tests.proof.reliability import Findings, ProofPart
from tests.proof.report import ChaosOutcome, measured, shown

_S = 1_000_000_000


def _bought(event: str, invoked_s: float, returned_s: float) -> Operation:
    return Operation(1, "purchase", event, "k", {}, int(invoked_s * _S), int(returned_s * _S), "ok", 200, {})


@pytest.fixture
def outcome() -> ChaosOutcome:
    """Two events; the slower one sells 1.5 s after the fault. A third one is paused now and then."""
    paused = Operation(2, "state", "small", None, {"state": "paused"}, 2 * _S, 3 * _S, "ok", 200, {})
    history = RecordedHistory.of(
        [
            _bought("hall", 1.0, 1.1),
            _bought("floor", 1.0, 1.1),
            paused,
            InjectedFault("Redis killed", 2 * _S, 4 * _S, may_lose=False, target="redis"),
            _bought("hall", 3.0, 4.5),
            _bought("floor", 5.4, 5.5),
            _bought("small", 8.0, 9.0),
        ]
    )
    return measured(history, database="sqlite", seed=7, behind_s=0.5, skipped={}, lost=0, breaches=[])


def test_recovery_is_that_of_the_slowest_event(outcome: ChaosOutcome) -> None:
    (fault,) = outcome.faults
    assert (fault.begun_s, fault.ended_s, fault.recovery_s) == (1.0, 3.0, 1.5)
    assert outcome.acknowledged == 5
    assert outcome.per_second == [2, 0, 0, 1, 1, 0, 0, 0, 1]


def test_a_recovery_that_the_next_fault_overtook_is_not_measured() -> None:
    """Unless the run had waited for it as long as it does."""

    def recovery_s(next_begun_s: float) -> float | None:
        fault, following = (
            InjectedFault("cron killed", begun_s * _S, int((begun_s + 1) * _S), may_lose=False, target="cron")
            for begun_s in (1, int(next_begun_s))
        )
        sold = [_bought("hall", 0.5, 0.6), _bought("hall", 70.0, 70.5)]
        history = RecordedHistory.of([*sold, fault, following])
        made = {"database": "sqlite", "seed": 7, "behind_s": 0.5, "skipped": {}, "lost": 0, "breaches": []}
        return measured(history, **made).faults[0].recovery_s

    assert recovery_s(5) is None
    assert recovery_s(40) == 68.5
    assert shown([1.0, None]) == ["1.00"] * 3
    assert shown([None]) == ["none"] * 3


def test_a_fault_in_the_recovery_from_a_loss_is_not_local() -> None:
    """Its recovery is that of both. The next one is local again."""

    def fault(kind: str, begun_s: int, *, may_lose: bool) -> InjectedFault:
        return InjectedFault(kind, begun_s * _S, (begun_s + 1) * _S, may_lose=may_lose, target="redis")

    emptied = fault("Redis emptied", 1, may_lose=True)
    killed, later = (fault("cron killed", begun_s, may_lose=False) for begun_s in (3, 20))
    sold = [_bought("hall", 0.5, 0.6), _bought("hall", 9.0, 9.1), _bought("hall", 21.5, 21.6)]
    made = {"database": "sqlite", "seed": 7, "behind_s": 0.5, "skipped": {}, "lost": 0, "breaches": []}
    faults = measured(RecordedHistory.of([*sold, emptied, killed, later]), **made).faults
    assert [one.recovery_s is None for one in faults] == [True, False, False]
    assert [one.is_local for one in faults] == [False, False, True]


def test_what_is_broken_is_counted(outcome: ChaosOutcome) -> None:
    findings = Findings("make prove", machine(), [ProofPart("tests", 3, 200_000, 60, passed=True)], [outcome])
    assert findings.is_clean
    outcome.breaches.append("I1: a seat has two owners")
    assert not findings.is_clean
    page = reliability.render(findings)
    assert "| seats sold twice, or more than there are (I1) | 1 |" in page
    assert "| bad inputs tried | 200,000 |" in page
    assert "| Redis killed | 1 | 1.50 | 1.50 | 1.50 |" in page


def test_the_page_is_made_of_the_findings() -> None:
    findings = Findings.read()
    assert reliability.PAGE.read_text() == reliability.render(findings)
    readme = (reliability.PAGE.parents[1] / "README.md").read_text()
    assert reliability.sentence(findings) in " ".join(readme.split())
