"""Each rule of the protocol, and the promise that is broken without it: the same history, with the rule and without."""

from collections.abc import Callable

import pytest

from seating.domain.purchase import Order
from seating.services import answered
from seating.storage import terms
from tests.terms.backups import backup
from tests.terms.conftest import Begin, Changes
from tests.terms.world import World

ONE = Order(1)


def a_replica_that_lags(world: World) -> None:
    """Takes over without the last sale, and sells to those who do not know of it."""
    world.buy(0, "the first", ONE)
    world.buy(0, "only the old primary has it", ONE)
    world.fail_over("gone")
    world.round(world.workers[0])
    for key in "ab":
        world.buy(1, key, ONE)
    world.finish("redis")


def a_fail_back(world: World) -> None:
    """The server that lost its tail keeps its run_id."""
    world.buy(0, "lost with the tail", ONE)
    world.fail_back()
    world.buy(1, "sold instead", ONE)
    world.round(world.workers[0])
    world.buy(1, "sold instead 2", ONE)
    world.finish("redis")


def an_old_primary_that_sells_on(world: World) -> None:
    """Whoever has learnt of the next term sells no more in the one before."""
    world.buy(0, "before", ONE)
    world.pair.replicate()
    world.fail_over("sells on")
    world.round(world.workers[1])
    world.flush(world.webs[0])
    world.buy(0, "too late", ONE)
    world.finish("redis")


def a_restore_that_does_not_show(world: World) -> None:
    """What was noted as answered is gone with the database that knew it, and its log has caught up meanwhile."""
    kept = backup(world.database)
    world.set_seat(world.webs[0], "A1", "sold")
    world.flush(world.webs[0])
    world.fail_over("gone")
    world.round(world.workers[0])
    world.flush(world.webs[0])
    world.restore(kept)
    world.round(world.workers[0])
    world.finish("redis")


def an_epoch_that_sql_forgot(world: World) -> None:
    """Only those who have died knew that it was handed out."""
    kept = backup(world.database)
    for key in ("once", "twice"):
        world.restore(kept)
        world.empty()
        world.restart_web(0)
        world.round(world.workers[0])
        world.buy(0, key, ONE)
        world.restart_web(0)
    world.finish("redis")


SCRIPTS = [
    (
        a_replica_that_lags,
        "invariant 1",
        {"begin_term": ("local inventory = {epoch", "term = epoch\nlocal inventory = {epoch")},
    ),
    (
        a_replica_that_lags,
        "invariant 5",
        {"acknowledge": ("if change.kind == 'trusted' and change.server == here then", "if change then")},
    ),
    (
        a_fail_back,
        "invariant 5",
        {"prelude": ("info:sub(before + 1, before + 40)", "'any'")},
    ),
    (an_old_primary_that_sells_on, "invariant 5", {"prelude": ("if ahead > 0 or", "if false and")}),
]


@pytest.mark.parametrize(("history", "broken", "changes"), SCRIPTS)
def test_rules_of_the_scripts(begin: Begin, history: Callable[[World], None], broken: str, changes: Changes) -> None:
    history(begin())
    with pytest.raises(AssertionError, match=broken):
        history(begin(changes))


def test_positions_are_noted_again(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    a_restore_that_does_not_show(begin(keep_s=86_400))
    monkeypatch.setattr(answered, "_WRITE_AGAIN_EVERY_S", float("inf"))
    with pytest.raises(AssertionError, match="invariant 3"):
        a_restore_that_does_not_show(begin(keep_s=86_400))


def test_epochs_have_a_floor(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    an_epoch_that_sql_forgot(begin())
    monkeypatch.setattr(terms, "first_epoch", lambda _now_s: 1)
    with pytest.raises(AssertionError, match="invariant 1"):
        an_epoch_that_sql_forgot(begin())
