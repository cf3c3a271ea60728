"""The audit log: the acts of operators."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from seating.domain.actor import Actor
from seating.domain.audit import Act
from seating.domain.position import Position
from seating.storage.database import batches, insert_new
from seating.storage.tables import audit


class RecordedAct(NamedTuple):
    """Ids grow in the order of recording."""

    id: int
    act: Act


def add(connection: Connection, acts: Iterable[Act | None]) -> None:
    """Record acts, except those whose log entry already has one. Texts are cut to the width of their columns."""
    insert_new(connection, audit, [_row(act) for act in acts if act])


def page(
    connection: Connection, below_id: int | None, count: int, event_id: str | None, actor: str | None
) -> list[RecordedAct]:
    """Return at most `count` acts with ids below `below_id`, newest first, optionally of one event or actor."""
    query = select(audit)
    if below_id is not None:
        query = query.where(audit.c.id < below_id)
    if event_id is not None:
        query = query.where(audit.c.event_id == event_id)
    if actor is not None:
        query = query.where(audit.c.actor == actor)
    return [_recorded(row) for row in connection.execute(query.order_by(audit.c.id.desc()).limit(count))]


def deleted(connection: Connection, event_ids: Sequence[str]) -> set[str]:
    """Return those of the events that have been deleted, as opposed to lost."""
    found: set[str] = set()
    for some in batches(event_ids):
        query = select(audit.c.event_id).where(audit.c.event_id.in_(some), audit.c.action == "event.delete")
        found.update(connection.execute(query).scalars())
    return found


def _row(act: Act) -> dict[str, object]:
    texts = {
        "actor": act.actor.name,
        "address": act.actor.address,
        "request_id": act.actor.request_id,
        "action": act.action,
        "event_id": act.event_id,
        "target": act.target,
        "before": act.before,
        "after": act.after,
        "why": act.actor.why,
        "position": str(act.position) if act.position else None,
    }
    row: dict[str, object] = {"at_ms": act.at_ms}
    for name, text in texts.items():
        # Postgres rejects a text that is too long, and its log entry would wait in quarantine.
        column: Any = audit.c[name].type
        row[name] = text[: column.length] if text is not None else None
    return row


def _recorded(row: Any) -> RecordedAct:
    actor = Actor(row.actor, row.address, row.request_id, row.why)
    position = Position.parse(row.position) if row.position else None
    act = Act(row.at_ms, actor, row.action, row.event_id, row.target, row.before, row.after, position)
    return RecordedAct(row.id, act)
