"""The product without one of its guards is caught by a short run, and with all of them it is not.

`make mutants` takes out each guard alone; the suite takes out those of the scripts, each of which has its own event.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.proof import checker
from tests.proof.evidence import Breach
from tests.proof.history import RecordedHistory
from tests.proof.mutants import MUTANTS, CopiedSystem, Mutant, MutantRun
from tests.proof.story import tell
from tests.servers import RedisServer

only_if_long = pytest.mark.skipif("SEATING_MUTANTS" not in os.environ, reason="make mutants runs it")


@contextmanager
def _running(folder: Path, *mutants: Mutant) -> Iterator[CopiedSystem]:
    redis = RedisServer(folder / "redis")
    redis.start()
    system = CopiedSystem(folder, redis, *(patch for mutant in mutants for patch in mutant.patches))
    try:
        yield system.start()  # type: ignore[misc]
    finally:
        system.stop()
        redis.stop()


def _broken(system: CopiedSystem, folder: Path, mutant: Mutant) -> tuple[list[Breach], RecordedHistory]:
    run = MutantRun(system, folder)
    mutant.run(run)
    history, finals = run.end()
    return checker.check(history, finals), history


def _check_caught(folder: Path, mutants: Sequence[Mutant]) -> None:
    with _running(folder, *mutants) as system:
        for mutant in mutants:
            breaches, history = _broken(system, folder, mutant)
            found = {breach.invariant for breach in breaches}
            assert found & mutant.invariants, f"without {mutant.guard}: {breaches}"
            told = next(breach for breach in breaches if breach.invariant in mutant.invariants)
            print(f"without {mutant.guard}:", tell(told, history), sep="\n")


def test_the_scripts_without_their_guards_are_caught(tmp_path: Path) -> None:
    in_scripts = [mutant for mutant in MUTANTS if mutant.run in _HARMLESS_TO_OTHERS]
    assert len(in_scripts) == 3
    _check_caught(tmp_path, in_scripts)


_HARMLESS_TO_OTHERS = (MutantRun.sell_given_seats, MutantRun.repeat, MutantRun.outwait_a_hold)


@only_if_long
@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.guard for mutant in MUTANTS])
def test_a_mutant_is_caught(tmp_path: Path, mutant: Mutant) -> None:
    _check_caught(tmp_path, [mutant])


@only_if_long
def test_the_product_itself_is_not(tmp_path: Path) -> None:
    """In the same runs."""
    with _running(tmp_path) as system:
        for mutant in MUTANTS:
            breaches, history = _broken(system, tmp_path, mutant)
            assert not breaches, "\n\n".join(tell(breach, history) for breach in breaches[:3])
