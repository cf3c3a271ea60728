"""A merge and a rebuild that die before any one of their steps, and are run again: the books end up the same.

In the suite before every third step, and before each with `make fuzz-terms`.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from seating.domain.recovery_errors import NothingToMerge
from tests.one_process import OPERATOR
from tests.terms.backups import backup, restore
from tests.terms.conftest import Begin
from tests.terms.histories import an_old_primary_returns, both_have_sold
from tests.terms.test_protocol import RUNS, SHORT
from tests.terms.world import LEASE_OVER_S, Process, World


def test_a_merge(begin: Begin) -> None:
    world = begin()
    both_have_sold(world)
    assert "stopped" in world.inventory()

    def merge(operator: Process) -> None:
        operator.one.merge.run(world.event, "redis", OPERATOR)

    killed_at_each_step(world, merge)


def test_a_rebuild(begin: Begin) -> None:
    world = begin()
    an_old_primary_returns(world)
    killed_at_each_step(world, lambda worker: worker.one.persistence.run_now(world.event))


def killed_at_each_step(world: World, work: Callable[[Process], object]) -> None:
    content, kept = world.pair.primary.content(), backup(world.database)
    clock_ms = world.clock.now_ms

    def books_after(steps: int) -> tuple[bool, Any]:
        """Whether the work was over after so many steps, and what the books say once it has been run again."""
        restore(world.database, kept)
        world.clock.now_ms = clock_ms
        world.pair.come_back(content)
        world.workers = [world.new_process() for _ in range(2)]
        operator, worker = world.workers
        world.begin(operator, lambda: work(operator))
        world.go_on(operator, steps)
        was_over = operator.job is None
        world.kill(operator)
        world.move_clock(LEASE_OVER_S)
        with suppress(NothingToMerge):  # It was done when it was killed.
            work(worker)
        for _ in range(2):
            world.round(worker)
        assert world.inventory()["server"] == world.pair.primary.identity
        world.invariants.of_books()
        found = world.invariants.kept()
        return was_over, (found.standing, found.box_office, found.aside, found.losses)

    _, expected = books_after(0)
    for steps in range(1, 200, 3 if RUNS == SHORT else 1):
        was_over, found = books_after(steps)
        assert found == expected, f"killed at step {steps}"
        if was_over:
            return
    pytest.fail("it never ends")
