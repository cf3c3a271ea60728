"""The cron puts right what Redis knows of quarantine, if whoever changed it in SQL died before telling Redis."""

from collections.abc import Callable, Sequence

import pytest

from seating.domain.errors import InventoryUnavailable
from seating.redis_store import keys
from seating.redis_store.book_snapshot import read_aside
from seating.redis_store.set_aside import SetAside
from seating.redis_store.terms import Terms
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


def _die(*_: object) -> None:
    raise InventoryUnavailable


def _poisoned_untold(sale: OneProcess, event: str) -> None:
    """The worker dies between its commit and the acknowledgement."""
    poison(sale, event, HALL.seats_of(sale.buy(event, "k").runs)[0])
    with pytest.MonkeyPatch.context() as dying:
        dying.setattr(Terms, "acknowledge", _die)
        sale.persist(event)
    sale.persist(event)


def _lost(sale: OneProcess, event: str) -> None:
    """Redis loses a sale, and a web process has its receipt."""
    sale.persist(event)
    sale.buy(event, "k")
    sale.calls.command("UNLINK", *keys.all_of(event))
    sale.persist(event)
    sale.answered.flush()


@pytest.mark.parametrize("put_aside", [_poisoned_untold, _lost])
def test_what_waits_without_a_copy_gets_one(
    sale: OneProcess, monkeypatch: pytest.MonkeyPatch, put_aside: Callable[[OneProcess, str], None]
) -> None:
    event, cron = sale.open(plan=HALL), upkeep(sale)
    put_aside(sale, event)
    (waiting,) = sale.quarantine.page(event, 0, 10).items
    assert sale.set_aside.quarantined([event]) == 0
    cron.tick()
    assert sale.set_aside.quarantined_at([event]) == {event: [waiting.entry.position]}
    kept = sale.calls.command("HGET", keys.quarantine(event), str(waiting.entry.position)).decode()
    assert read_aside(waiting.entry.position, kept) == waiting.entry
    monkeypatch.setattr(type(sale.set_aside), "copy", lambda *_: pytest.fail("once is enough"))
    for _ in range(6):
        cron.tick()


def test_redis_is_asked_about_all_events_at_once(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    events = sorted(sale.open(plan=HALL) for _ in range(3))
    for event in events:
        _poisoned_untold(sale, event)
    asked: list[list[str]] = []
    copied = SetAside.copied

    def note(self: SetAside, event_ids: Sequence[str]) -> list[int | None]:
        asked.append(sorted(event_ids))
        return copied(self, event_ids)

    monkeypatch.setattr(SetAside, "copied", note)
    upkeep(sale).tick()
    assert asked == [events] * 2  # To report them, and to copy what has no copy.
    assert copied(sale.set_aside, events) == [1, 1, 1]
