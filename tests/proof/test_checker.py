"""The checker finds nothing in a clean run, and each of many faults that are planted into what was recorded of it."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.proof import checker, planted_at_rest, planted_in_purchases, planted_in_time
from tests.proof.evidence import Breach
from tests.proof.history import InjectedFault
from tests.proof.planting import PLANTED, Plant, RecordedRun
from tests.proof.seat_calls import final_statuses
from tests.proof.seat_register import AVAILABLE
from tests.proof.short_sale import SETTINGS, ShortSale
from tests.proof.shrinking import shrunk, smallest
from tests.proof.story import tell
from tests.system import running_system

_SHORT_STORY = 25
"""Lines: one of what is wrong, and two of each request."""

_PLANTING = (planted_at_rest, planted_in_purchases, planted_in_time)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedRun]:
    """A run of real processes in which nothing is broken."""
    folder = tmp_path_factory.mktemp("proof")
    with running_system(folder, "worker", "cron", "sender", "web", **SETTINGS) as running:
        sale = ShortSale(running, folder)
        sale.run()
        yield RecordedRun(*sale.end())


def _breaches(run: RecordedRun, invariant: str) -> list[Breach]:
    found = checker.check(run.history, run.finals, [invariant])
    return [breach for breach in found if breach.invariant == invariant]


def test_a_clean_run_passes(clean: RecordedRun) -> None:
    breaches = checker.check(clean.history, clean.finals)
    assert not breaches, "\n\n".join(tell(breach, clean.history) for breach in breaches[:5])


@pytest.mark.parametrize(("invariant", "plant"), PLANTED, ids=[plant.__name__ for _, plant in PLANTED])
def test_a_planted_fault_is_found(clean: RecordedRun, invariant: str, plant: Plant) -> None:
    run = clean.copy()
    plant(run)
    breaches = _breaches(run, invariant)
    assert breaches
    for breach in breaches:
        assert tell(breach, run.history).startswith(f"{invariant}: ")


@pytest.mark.parametrize("invariant", checker.INVARIANTS)
def test_a_story_is_short(clean: RecordedRun, invariant: str) -> None:
    """Of the first fault that is planted for each invariant, and of all for the order of effects."""
    plants = [plant for broken, plant in PLANTED if broken == invariant]
    for plant in plants if invariant == "linearizable" else plants[:1]:
        run = clean.copy()
        plant(run)
        first = _breaches(run, invariant)[0]
        short = shrunk(first, run.history, run.finals, within_s=60)
        assert (short.what, short.event) == (first.what, first.event)
        assert len(tell(short, run.history).splitlines()) <= _SHORT_STORY


def test_parts_that_are_not_needed_are_left_out() -> None:
    asked = []

    def has_both(parts: Sequence[int]) -> bool:
        asked.append(len(parts))
        return {17, 83} <= set(parts)

    assert smallest(range(100), has_both, deadline=float("inf")) == [17, 83]
    assert len(asked) < 100
    assert smallest(range(100), has_both, deadline=0) == [*range(100)]


def test_a_loss_that_is_reported_is_no_breach(clean: RecordedRun) -> None:
    """After a fault that may lose something: see the planted one that is not reported."""
    run = clean.copy()
    row = run.row()
    run.remove(row)
    run.hall.losses.append((row.position, row.position))
    run.history.faults.append(InjectedFault("emptied", run.end(), run.end(), may_lose=True, target="redis"))
    assert "I2" not in {breach.invariant for breach in checker.check(run.history, run.finals)}


@pytest.mark.parametrize(("killed_after_s", "broken"), [(0.9, False), (1.1, True)])
def test_a_loss_that_nobody_is_left_to_report(clean: RecordedRun, killed_after_s: float, *, broken: bool) -> None:
    """Redis lost it, and its web process was killed before it wrote down what it had confirmed."""
    run = clean.copy()
    row = next(row for row in run.hall.purchases if not row.cancelled and len(run.bought(row)) == 1)
    (sold,) = run.bought(row)
    run.remove(row)
    assert sold.returned
    killed = sold.returned + int(killed_after_s * 1e9)
    run.history.faults.append(InjectedFault("emptied", run.end(), run.end(), may_lose=True, target="redis"))
    assert _breaches(run, "I2")
    run.history.faults.append(InjectedFault("web process killed", killed, killed, may_lose=False, target="web"))
    assert bool(_breaches(run, "I2")) == broken


def test_a_loss_that_sql_had_to_note_again(clean: RecordedRun) -> None:
    """Put back from a copy, it tells another time. Without that, a repetition has the same bytes."""
    run = clean.copy()
    key = f"msg_{run.hall.event}.loss.1-2"
    for body in "01":
        run.add(run.find("webhook")[5], key=key, body_sha=body * 64, answer={"type": "loss"})
    assert _breaches(run, "I11")
    first = next(one for one in run.find("webhook") if one.key == key)
    begun, ended = first.invoked - 1, first.invoked + 1
    run.history.faults.append(InjectedFault("SQLite restored older", begun, ended, may_lose=False, target="sql"))
    assert not _breaches(run, "I11")


def test_a_seat_may_be_sold_again_whose_sale_and_cancellation_are_lost(clean: RecordedRun) -> None:
    run = clean.copy()
    (last, *_) = run.find("purchase")
    free = next(seat for seat, status in final_statuses(run.hall).items() if status == AVAILABLE)
    end = run.end()

    def later(at: int, **new: Any) -> None:
        run.add(last, key=str(at), invoked=end + 2 * at, returned=end + 2 * at + 1, **new)

    def sold(name: str) -> dict[str, Any]:
        return {**(last.answer or {}), "purchaseId": name, "position": "9-9", "seats": [free]}

    later(1, answer=sold("first"))
    later(2, op="cancel", arguments={"purchase": "first"}, answer={"state": "cancelled"})
    later(3, answer=sold("second"))
    assert _breaches(run, "linearizable"), "nothing was lost"
    run.history.faults.append(InjectedFault("emptied", end + 8, end + 9, may_lose=True, target="redis"))
    assert not _breaches(run, "linearizable")


def test_at_least_forty_are_planted() -> None:
    assert len(PLANTED) >= 40
    assert {plant.__module__ for _, plant in PLANTED} == {module.__name__ for module in _PLANTING}
    assert {invariant for invariant, _ in PLANTED} == set(checker.INVARIANTS)
