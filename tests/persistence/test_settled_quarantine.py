"""The cron puts right what Redis knows of quarantine, if whoever settled an entry in SQL died before telling Redis."""

from collections.abc import Callable

import pytest

from seating.redis_store import keys
from seating.storage.tables import purchases, sold_seats
from tests.books.test_cancel import HALL, poison
from tests.one_process import OPERATOR, OneProcess
from tests.persistence.test_archive import upkeep
from tests.terms.backups import backup, restore


def _poisoned(sale: OneProcess) -> tuple[str, str]:
    """The event, and the position of a purchase that SQL refused."""
    event = sale.open(plan=HALL)
    receipt = sale.buy(event, "k")
    poison(sale, event, HALL.seats_of(receipt.runs)[0])
    sale.persist(event)
    assert sale.set_aside.quarantined([event]) == 1
    return event, str(receipt.id.position)


def _replay(sale: OneProcess, event: str, position: str) -> None:
    sale.database.write(lambda connection: connection.execute(sold_seats.delete()))
    sale.database.write(lambda connection: connection.execute(purchases.delete()))
    sale.quarantine.replay(event, position, OPERATOR)


def _cancel(sale: OneProcess, event: str, position: str) -> None:
    sale.quarantine.cancel(event, position, OPERATOR)
    sale.persist(event)


@pytest.mark.parametrize("settle", [_replay, _cancel])
def test_what_was_settled_is_forgotten(sale: OneProcess, settle: Callable[[OneProcess, str, str], None]) -> None:
    event, position = _poisoned(sale)
    aside = sale.calls.command("HGET", keys.quarantine(event), position)
    settle(sale, event, position)
    sale.calls.command("HSET", keys.quarantine(event), position, aside)
    upkeep(sale).tick()
    assert sale.set_aside.quarantined([event]) == 0


def test_what_waits_is_kept(sale: OneProcess) -> None:
    """Also what a restored database knows nothing of, and what nobody can read."""
    event = sale.open(plan=HALL)
    older = backup(sale.database)
    sale.buy(event, "before")
    waiting, position = _poisoned(sale)
    sale.calls.command("HSET", keys.quarantine(waiting), "none of ours", "x")
    upkeep(sale).tick()
    assert sale.set_aside.quarantined([waiting]) == 2
    restore(sale.database, older)
    upkeep(sale).tick()
    assert sale.set_aside.quarantined([waiting]) == 2
    assert sale.calls.command("HEXISTS", keys.quarantine(waiting), position) == 1
