"""What may have happened to a sale already: where both stores have gone their own ways."""

from seating.domain.purchase import Order
from tests.terms.backups import backup
from tests.terms.world import World


def seat(name: str) -> Order:
    return Order(1, seats=(name,))


def nothing(world: World) -> None:
    """It has just been opened."""


def both_have_sold(world: World) -> None:
    """SQL was restored and another Redis sold from it; then the first one came back."""
    kept = backup(world.database)
    for name in ("A1", "A2", "A3"):
        world.buy(0, f"redis {name}", seat(name))
    world.cancel(world.webs[0], world.promises.told[0])
    world.set_seat(world.webs[0], "B1", "sold")
    world.round(world.workers[0])
    first = world.pair.primary.content()
    world.restore(kept)
    world.empty()
    world.restart_web(0)
    world.round(world.workers[0])
    for name in ("A1", "A2", "B2"):
        world.buy(0, f"sql {name}", seat(name))
    world.round(world.workers[0])
    world.come_back(first)
    world.round(world.workers[0])


def an_old_primary_returns(world: World) -> None:
    """It has sold on, and takes over again: what it has beyond the record is replayed."""
    world.buy(0, "both have it", seat("A1"))
    world.round(world.workers[0])
    world.pair.replicate()
    world.fail_over("sells on")
    world.restart_web(1)
    world.round(world.workers[1])
    world.buy(1, "new", seat("A2"))
    world.round(world.workers[1])
    for name in ("A2", "A3", "B1"):
        world.buy(0, f"old {name}", seat(name))
    world.cancel(world.webs[0], world.promises.told[-1])
    world.fail_over("gone")


def a_tail_was_lost(world: World) -> None:
    """The standby took over without the last changes, which are reported by now; there is a backup from before."""
    world.backups.append(backup(world.database))
    world.buy(0, "A1 0", seat("A1"))
    world.set_seat(world.webs[0], "B1", "sold")
    world.flush(world.webs[0])
    world.fail_over("gone")
    world.round(world.workers[0])
    world.flush(world.webs[0])


HISTORIES = (nothing, both_have_sold, an_old_primary_returns, a_tail_was_lost)
