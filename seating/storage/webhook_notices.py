"""What webhooks are told that the ledger does not have, or does not have in its order.

Each event's notices are numbered 1, 2, 3 … without gaps, in the order of their transactions, so a cursor misses none.
"""

from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, func, insert, select

from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.storage import answered, watermarks
from seating.storage.answered import Loss
from seating.storage.tables import webhook_notices

LOSS: Final = "loss"
ENTRY: Final = "entry"
CANCELLED: Final = "cancelled"

_PAGE: Final = 500


class Notice(NamedTuple):
    """`key` is what it is about: the last lost position, a seq of the ledger, or a purchase and what is cancelled."""

    number: int
    kind: str
    key: str
    at_ms: int
    content: dict[str, object]

    @property
    def after_seq(self) -> int:
        """How far the record reached then: what is told of it by then comes first. A loss need not wait."""
        return int(str(self.content.get("after", 0)))

    @property
    def why(self) -> str | None:
        """The operator's reason for a cancellation."""
        why = self.content.get("why")
        return str(why) if why else None

    def follows(self, seq: int) -> bool:
        """Whether it is told behind `seq`, or is of a loss there."""
        return Position.parse(self.key).seq > seq if self.kind == LOSS else self.after_seq >= seq


def note_loss(connection: Connection, loss: Loss, now_ms: int) -> None:
    """Note a loss, once for each position that it reaches."""
    content = {"first": str(loss.first), "last": str(loss.last), "lost": loss.lost}
    _add(connection, loss.event_id, LOSS, str(loss.last), now_ms, content)


def note_late_entry(connection: Connection, event_id: str, seq: int, now_ms: int) -> None:
    """Note an entry that took its place in the ledger after others behind it."""
    _add(connection, event_id, ENTRY, str(seq), now_ms, {})


def note_cancelled(
    connection: Connection, purchase_id: PurchaseId, quantity: int, now_ms: int, why: str | None = None
) -> None:
    """Note that `quantity` seats of a purchase are cancelled by something else than a ledger entry of its own."""
    content = {"purchase": str(purchase_id), "quantity": quantity, "why": why}
    _add(connection, purchase_id.event_id, CANCELLED, _key(purchase_id, quantity), now_ms, content)


def of_cancellation(connection: Connection, purchase_id: PurchaseId, quantity: int) -> Notice | None:
    """Return what `note_cancelled` noted with these arguments; None if it noted nothing."""
    same = _same(purchase_id.event_id, CANCELLED, _key(purchase_id, quantity))
    row = connection.execute(select(webhook_notices).where(*same)).one_or_none()
    return _notice(row) if row else None


def after(connection: Connection, event_id: str, number: int, count: int) -> list[Notice]:
    """Return at most `count` notices behind `number`."""
    query = select(webhook_notices).where(webhook_notices.c.event_id == event_id, webhook_notices.c.number > number)
    return [_notice(row) for row in connection.execute(query.order_by(webhook_notices.c.number).limit(count))]


def before(connection: Connection, event_id: str, seq: int) -> int:
    """Return the number of the last notice before the first one that follows `seq`."""
    number = 0
    while found := after(connection, event_id, number, _PAGE):
        for notice in found:
            if notice.follows(seq):
                return notice.number - 1
        number = found[-1].number
    return number


def note_losses(connection: Connection, now_ms: int) -> None:
    """Note the current losses that are not noted yet."""
    for loss in unknown(connection):
        note_loss(connection, loss, now_ms)


def unknown(connection: Connection) -> list[Loss]:
    """Return the current losses that are not noted."""
    losses = answered.losses(connection)
    if not losses:
        return []
    query = select(webhook_notices.c.event_id, webhook_notices.c.key).where(webhook_notices.c.kind == LOSS)
    known = {(row.event_id, row.key) for row in connection.execute(query)}
    return [loss for loss in losses if (loss.event_id, str(loss.last)) not in known]


def loss_in(event_id: str, notice: Notice) -> Loss:
    first, last = (Position.parse(str(notice.content[name])) for name in ("first", "last"))
    return Loss(event_id, first, last, int(str(notice.content["lost"])))


def _add(connection: Connection, event_id: str, kind: str, key: str, now_ms: int, content: dict[str, object]) -> None:
    # One writer at a time for each event: a number that is committed late would be missed.
    reached_seq = watermarks.lock(connection, event_id)
    if connection.execute(select(webhook_notices.c.number).where(*_same(event_id, kind, key))).first():
        return
    here = webhook_notices.c.event_id == event_id
    last = connection.execute(select(func.max(webhook_notices.c.number)).where(here)).scalar() or 0
    content |= {"after": 0 if kind == LOSS else reached_seq}
    row = {"event_id": event_id, "number": last + 1, "kind": kind, "key": key, "at_ms": now_ms}
    connection.execute(insert(webhook_notices).values(row | {"content": orjson.dumps(content).decode()}))


def _key(purchase_id: PurchaseId, quantity: int) -> str:
    return f"{purchase_id}.{quantity}"


def _same(event_id: str, kind: str, key: str) -> tuple[ColumnElement[bool], ...]:
    columns = webhook_notices.c
    return (columns.event_id == event_id, columns.kind == kind, columns.key == key)


def _notice(row: Any) -> Notice:
    return Notice(row.number, row.kind, row.key, row.at_ms, orjson.loads(row.content))
