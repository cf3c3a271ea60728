"""A database with many purchases: one event that was sold, and copies of it."""

from random import Random
from typing import Any, Final

from sqlalchemy import Connection, text, update

from seating.config import Settings
from seating.domain.actor import Actor
from seating.domain.idempotency import short_hash
from seating.domain.purchase import Order, PurchaseId
from seating.runtime import BackgroundServices
from seating.services.income import Income
from seating.storage import purchases
from seating.storage.tables import events, ledger, terms, watermarks
from seating.storage.tables import purchases as purchase_table

_COPIED: Final = (events, watermarks, terms, ledger, purchase_table)
_BY: Final = Actor("bench")


class Shelf:
    """The product's services over one Redis and one database. `sold` is the event that was sold.

    `each` is how many purchases each event has.
    """

    def __init__(self, redis_url: str, database_url: str, each: int) -> None:
        self._each = each
        settings = Settings(_env_file=None, redis_url=redis_url, database_url=database_url)
        self.sale = BackgroundServices(settings, patient=True)
        self.income = Income(self.sale.reads, self.sale.box_office)
        self.sold = self.sell()
        self._events = [self.sold]
        self.record()
        self._ids = self.sale.database.read(_ids, self.sold)
        assert len(self._ids) == self._each

    def copy_until(self, count: int) -> int:
        """Copy the sold event until there are `count` purchases; return how many were copied."""
        self.sale.database.write(self._copy, count // self._each - 1)
        return (len(self._events) - 1) * self._each

    def settle(self) -> None:
        """Let Postgres do now what it would do in the middle of a measurement."""
        with self.sale.database.engine.connect() as connection:
            driver: Any = connection.connection
            driver.execute("VACUUM (ANALYZE, FREEZE)")
            driver.execute("CHECKPOINT")

    def any_event(self, random: Random) -> str:
        return random.choice(self._events)

    def any_purchase(self, random: Random) -> PurchaseId:
        _, position, nonce = random.choice(self._ids)
        return PurchaseId(self.any_event(random), position, nonce)

    def any_reference(self, random: Random) -> str:
        return _reference(random.randrange(self._each))

    def sell(self) -> str:
        """Sell an event without recording it; return its id."""
        self._waits = self.sale.event_creation.create("Show", 2 * self._each, None, _BY).event.id
        for number in range(self._each):
            order = Order(1, reference=_reference(number))
            self.sale.inventory.purchase(self._waits, "shop", short_hash("shop", f"key-{number}"), order)
        return self._waits

    def record(self) -> None:
        """Record what was sold last, as the worker does."""
        while self.sale.inventory.current([self._waits])[0].backlog.lag:
            self.sale.persistence.run_now(self._waits)

    def rebuild(self) -> None:
        self.sale.rebuild.run(self.sold, "measured", claimable="recorded")
        self.sale.persistence.run_now(self.sold)

    def _copy(self, connection: Connection, copies: int) -> None:
        """Rows as COPY writes them, with another event's id. Foreign keys hold, and are not checked one by one."""
        driver: Any = connection.connection
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        found = {table.name: self._rows(driver, table.name) for table in _COPIED}
        for number in range(copies):
            copy_id = f"copy-{number:08}"
            for name, rows in found.items():
                with driver.cursor().copy(f"COPY {name} FROM STDIN") as copy:
                    copy.write(rows.replace(self.sold.encode(), copy_id.encode()))
            self._events.append(copy_id)
        connection.execute(update(events).where(events.c.id != self.sold).values(archived=True))

    def _rows(self, driver: Any, table: str) -> bytes:
        column = "id" if table == events.name else "event_id"
        order = "seq" if table in (ledger.name, purchase_table.name) else column
        query = f"SELECT * FROM {table} WHERE {column} = %s ORDER BY {order}"
        with driver.cursor().copy(f"COPY ({query}) TO STDOUT", (self.sold,)) as copy:
            return b"".join(bytes(block) for block in copy)


def _ids(connection: Connection, event_id: str) -> list[PurchaseId]:
    return [PurchaseId.parse(purchase_id) for purchase_id in purchases.standing(connection, event_id)]


def _reference(number: int) -> str:
    return f"order-{number:06}"
