"""A process learns of a term that began elsewhere before it sells from a server whose own term is over."""

from typing import Any

import gevent
import pytest
from gevent.event import Event
from sqlalchemy import update
from sqlalchemy.exc import ProgrammingError

from seating.domain.errors import InventoryUnavailable, RecordUnavailable
from seating.domain.idempotency import short_hash
from seating.domain.log_entry import GENESIS, Checkpoint
from seating.domain.position import Position
from seating.domain.purchase import Order
from seating.redis_store import keys
from seating.services import event_changes
from seating.services.event_changes import Fence
from seating.storage.tables import watermarks
from tests.one_process import OneProcess


@pytest.fixture
def overtaken(sale: OneProcess) -> str:
    """An event whose term went on elsewhere: this Redis is an old primary, and does not know it."""
    event = sale.open(capacity=10)
    begin_term_elsewhere(sale, event)
    return event


def begin_term_elsewhere(sale: OneProcess, event: str) -> None:
    here = watermarks.c.event_id == event
    sale.database.write(lambda c: c.execute(update(watermarks).where(here).values(epoch=watermarks.c.epoch + 1)))


def test_a_new_process_asks_before_its_first_sale(sale: OneProcess, overtaken: str) -> None:
    epoch = sale.now(overtaken).backlog.position.epoch
    for ask in (lambda new: new.buy(overtaken, "k"), lambda new: new.hold(overtaken, quantity=1)):
        with pytest.raises(InventoryUnavailable):
            ask(sale.another())
    assert sale.now(overtaken).counts.remaining == 10
    assert sale.calls.command("HMGET", keys.inventory(overtaken), "server", "seen") == [b"", b"%d" % (epoch + 1)]


def test_without_asking_it_sells(sale: OneProcess, overtaken: str) -> None:
    """The twin."""
    inventory = sale.another().inventory
    assert inventory.purchase(overtaken, "anonymous", short_hash("k"), Order(1)).receipt.left == 9


@pytest.mark.parametrize("learn", ["new connection", "flush"])
def test_a_process_that_has_sold_asks_again(sale: OneProcess, learn: str) -> None:
    """On a new connection, and each second when it writes what it answered."""
    event = sale.open(capacity=10)
    sale.buy(event, "k1")
    begin_term_elsewhere(sale, event)
    if learn == "new connection":
        sale.purchases.changes.fence.on_new_connection()
    else:
        sale.answered.flush()
    with pytest.raises(InventoryUnavailable):
        sale.buy(event, "k2")


def test_it_asks_once(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event = sale.open(capacity=10)
    new = sale.another()
    asked: list[Any] = []
    read = new.database.read

    def count(*question: Any) -> Any:
        asked.append(question)
        return read(*question)

    monkeypatch.setattr(new.database, "read", count)
    for number in range(3):
        new.buy(event, f"k{number}")
    assert len(asked) == 1


@pytest.mark.parametrize("error", [RecordUnavailable(), ProgrammingError("SELECT", None, Exception("no such table"))])
def test_while_sql_cannot_say_sales_go_on(sale: OneProcess, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    event = sale.open(capacity=10)
    new = sale.another()

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(new.database, "read", refuse)
    assert new.buy(event, "k").left == 9
    new.purchases.changes.fence.on_new_connection()


class Asked:
    """A database that answers when it is let."""

    def __init__(self) -> None:
        self.questions = 0
        self.asked, self.answers = Event(), Event()

    def read(self, *_: object) -> dict[str, Checkpoint]:
        self.questions += 1
        self.asked.set()
        self.answers.wait()
        return {"event": Checkpoint(Position(7, 9), GENESIS)}


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def fence(asked: Asked, sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> Fence:
    monkeypatch.setattr(sale.inventory, "is_known", lambda _: True, raising=False)
    return Fence(asked, sale.inventory, sale.seen)  # type: ignore[arg-type]


def test_nobody_sells_before_the_first_has_asked(fence: Fence, asked: Asked, sale: OneProcess) -> None:
    first = gevent.spawn(fence.before_first_sale, "event")
    assert asked.asked.wait(5)
    others = [gevent.spawn(fence.before_first_sale, "event") for _ in range(5)]
    gevent.idle()
    assert not any(other.ready() for other in others)
    asked.answers.set()
    gevent.joinall([first, *others], timeout=5, raise_error=True)
    assert sale.seen.of([keys.inventory("event")]) == (7, 0)
    assert asked.questions == 1


def test_sales_do_not_wait_for_an_sql_that_hangs(fence: Fence, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_changes, "_ASKS_FOR_S", 0.05)
    sales = [gevent.spawn(fence.before_first_sale, "event") for _ in range(5)]
    assert len(gevent.joinall(sales, timeout=5, raise_error=True)) == 5
    fence.before_first_sale("event")
