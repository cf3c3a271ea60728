"""What SQL and Redis have of an event when a run is over: rows and keys as they are, and what the product finds."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import redis
from sqlalchemy import Connection, select

from seating.domain.position import Position
from seating.domain.seating_plan import SeatingPlan, SeatRange
from seating.redis_store import keys
from seating.redis_store.plain_client import client_of
from seating.services.books import Books
from seating.storage import answered, events, tables, watermarks


class LedgerLine(NamedTuple):
    """An entry, as the ledger or Redis's log has it."""

    position: str
    change: str
    link: str


class BoughtRow(NamedTuple):
    """A row of `purchases`. `cancelled` is how many of its `quantity` are cancelled; seats are ids."""

    id: str
    position: str
    quantity: int
    seats_left: int
    seats: tuple[str, ...]
    cancelled: int
    cancelled_seats: tuple[str, ...]

    @property
    def standing_seats(self) -> set[str]:
        return set(self.seats) - set(self.cancelled_seats) if self.cancelled < self.quantity else set()


class AsideRow(NamedTuple):
    """A row of `quarantine`; without a `resolution` it waits."""

    position: str
    change: str
    reason: str
    resolution: str | None


@dataclass(slots=True)
class FinalState:
    """`findings` are the product's own: `seating reconcile` and `seating verify`. `watermark` is position and link.

    `seats` has, for each block, the id at each character of its map, empty at a row break; none in general admission.
    `audit` has the positions of the acts that made log entries. `expiries` are those of holds, by `now_ms`'s clock.
    `server` is the Redis that was asked, as the inventory's field of that name has it.
    """

    event: str
    capacity: int
    seats: list[list[str]]
    ledger: list[LedgerLine]
    watermark: str
    purchases: list[BoughtRow]
    sold_seats: list[tuple[str, str | None]]
    organiser_seats: list[tuple[str, str]]
    quarantine: list[AsideRow]
    losses: list[tuple[str, str]]
    audit: list[str]
    inventory: dict[str, str] = field(default_factory=dict)
    log: list[LedgerLine] = field(default_factory=list)
    maps: dict[str, str] = field(default_factory=dict)
    expiries: dict[str, int] = field(default_factory=dict)
    now_ms: int = 0
    server: str = ""
    findings: list[str] = field(default_factory=list)

    def ids_of(self, runs: str) -> tuple[str, ...]:
        """Return the seats of runs as scripts write them; none in general admission."""
        if not self.seats:
            return ()
        found = SeatRange.parse_all(runs)
        return tuple(self.seats[block][at] for block, start, length in found for at in range(start, start + length))


def take(books: Books, event_id: str) -> FinalState:
    """Read it all. What is not at rest may differ from one part to the next."""
    final = books.database.read_snapshot(_recorded, event_id)
    _read_redis(client_of(books.client, keys.inventory(event_id)), final)
    final.findings = [difference.what for difference in books.reconcile(event_id)]
    verified = books.verify(event_id)
    if verified.broken:
        final.findings.append(verified.broken)
    return final


def is_at_rest(books: Books, event_id: str) -> bool:
    """Whether this Redis sells the event, and SQL has all of its log."""
    names = ("server", "epoch", "seq", "chain", "persisted")
    client = client_of(books.client, keys.inventory(event_id))
    values = client.hmget(keys.inventory(event_id), *names)
    server, epoch, seq, chain, persisted = ((value or b"").decode() for value in values)
    mark = books.database.read(watermarks.read, event_id)
    return server == _server(client) and str(mark) == f"{epoch}-{seq} {chain}" and persisted == seq


def _server(client: "redis.Redis") -> str:
    info = client.info("everything")
    return f"{info['run_id']}:{info['master_replid']}"


def _recorded(connection: Connection, event_id: str) -> FinalState:
    def rows(table: Any, *order: str) -> list[Any]:
        query = select(table).where(table.c.event_id == event_id).order_by(*(table.c[name] for name in order))
        return list(connection.execute(query))

    event = events.find(connection, event_id)
    plan: SeatingPlan | None = events.plan_of(connection, event_id)
    assert event is not None, f"SQL has no event {event_id}"
    (mark,) = rows(tables.watermarks)
    final = FinalState(
        event=event_id,
        capacity=event.capacity,
        seats=plan.seats_by_character if plan else [],
        ledger=[
            LedgerLine(str(Position(row.epoch, row.seq)), row.change, row.link) for row in rows(tables.ledger, "seq")
        ],
        watermark=f"{Position(mark.epoch, mark.seq)} {mark.link}",
        purchases=[],
        sold_seats=[(row.seat_id, row.purchase_id) for row in rows(tables.sold_seats, "seat_id")],
        organiser_seats=[(row.seat_id, row.status) for row in rows(tables.organiser_seats, "seat_id")],
        quarantine=[
            AsideRow(str(Position(row.epoch, row.seq)), row.change, row.reason, row.resolution)
            for row in rows(tables.quarantine, "seq")
        ],
        losses=[(str(loss.first), str(loss.last)) for loss in answered.losses(connection, event_id)],
        audit=[row.position for row in rows(tables.audit, "id") if row.position],
    )
    final.purchases = [
        BoughtRow(
            row.id,
            str(Position(row.epoch, row.seq)),
            row.quantity,
            row.seats_left,
            final.ids_of(row.runs),
            row.cancelled_quantity,
            final.ids_of(row.cancelled_runs),
        )
        for row in rows(tables.purchases, "entry_seq")
    ]
    return final


def _read_redis(client: "redis.Redis", final: FinalState) -> None:
    """Read the keys themselves, in one transaction."""
    reading = client.pipeline(transaction=True)
    reading.hgetall(keys.inventory(final.event))
    reading.xrange(keys.log(final.event))
    reading.hgetall(keys.seats(final.event))
    reading.zrange(keys.holds(final.event), 0, -1, withscores=True)
    reading.time()
    inventory, log, maps, expiries, (now_s, us) = reading.execute()
    final.inventory = {name.decode(): value.decode() for name, value in inventory.items()}
    final.log = [
        LedgerLine(position.decode(), fields[b"change"].decode(), fields[b"link"].decode()) for position, fields in log
    ]
    final.maps = {block.decode(): seats.decode() for block, seats in maps.items()}
    final.expiries = {hold.decode(): int(until_ms) for hold, until_ms in expiries}
    final.server = _server(client)
    final.now_ms = now_s * 1000 + us // 1000
