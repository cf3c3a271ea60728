"""The record of events."""

import time
from dataclasses import fields, replace
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, and_, insert, or_, select, update

from seating.domain.event import DRAFT, Event, EventCursor, EventDetails, EventFilter
from seating.domain.offer import Offer
from seating.domain.seating_plan import SeatingPlan
from seating.storage.tables import events

_FIELDS = tuple(field.name for field in fields(Event))
_EVENT = tuple(events.c[name] for name in _FIELDS)


class CreationKey(NamedTuple):
    """What a request that creates an event is known by: the hash of its caller and key, and that of what it asks."""

    idempotency: str
    fingerprint: str


def add(connection: Connection, event: Event, plan: SeatingPlan | None, key: CreationKey | None = None) -> None:
    """Insert an event. Raises SQLAlchemy's IntegrityError if the id is taken, or the key."""
    row = {name: getattr(event, name) for name in _FIELDS}
    row |= {"metadata": _json(event.metadata), "offer": event.offer.to_json() if event.offer else None}
    row |= {"plan": plan.pack() if plan else None} | (key._asdict() if key else {})
    connection.execute(insert(events).values(row))


def find(connection: Connection, event_id: str) -> Event | None:
    row = connection.execute(select(*_EVENT).where(events.c.id == event_id)).one_or_none()
    return _event(row) if row else None


def created_with(connection: Connection, idempotency: str) -> tuple[str, str] | None:
    """The id of the event that was created with this key, and the fingerprint of what was asked for."""
    query = select(events.c.id, events.c.fingerprint).where(events.c.idempotency == idempotency)
    row = connection.execute(query).one_or_none()
    return (row.id, row.fingerprint) if row else None


def page(connection: Connection, after: EventCursor | None, count: int, wanted: EventFilter) -> list[Event]:
    """At most `count` events behind `after`, in the order of dates, those without one last, and then of ids."""
    # SQLite sorts NULL first, Postgres last.
    query = select(*_EVENT).order_by(events.c.starts_ms.is_(None), events.c.starts_ms, events.c.id).limit(count)
    starts = events.c.starts_ms
    if after is not None and after.starts_ms is None:
        query = query.where(starts.is_(None), events.c.id > after.id)
    elif after is not None:
        later = or_(starts > after.starts_ms, and_(starts == after.starts_ms, events.c.id > after.id))
        query = query.where(or_(later, starts.is_(None)))
    if wanted.from_ms is not None:
        query = query.where(starts >= wanted.from_ms)
    if wanted.to_ms is not None:
        query = query.where(starts < wanted.to_ms)
    if wanted.state is not None:
        query = query.where(events.c.state == wanted.state)
    if wanted.venue is not None:
        query = query.where(events.c.venue == wanted.venue)
    if not wanted.drafts:
        query = query.where(events.c.state != DRAFT)
    return [_event(row) for row in connection.execute(query)]


def plan_of(connection: Connection, event_id: str) -> SeatingPlan | None:
    packed = connection.execute(select(events.c.plan).where(events.c.id == event_id)).scalar_one_or_none()
    return SeatingPlan.unpack(packed) if packed else None


def live(connection: Connection) -> list[str]:
    """Return the ids of all events that should have an inventory."""
    return list(connection.execute(select(events.c.id).where(~events.c.archived).order_by(events.c.id)).scalars())


def set_state(connection: Connection, event_id: str, state: str) -> None:
    connection.execute(update(events).where(events.c.id == event_id).values(state=state))


def set_details(connection: Connection, event_id: str, details: EventDetails) -> Event | None:
    """Record new details and return the event as it was before; None if there is no such event."""
    # Locked until the commit: the audit log must have the details that this change replaces.
    query = select(*_EVENT).where(events.c.id == event_id).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    before = _event(row)
    after = replace(before, **details)
    values = {"name": after.name, "starts_ms": after.starts_ms, "venue": after.venue, "metadata": _json(after.metadata)}
    connection.execute(update(events).where(events.c.id == event_id).values(values))
    return before


def set_offer(connection: Connection, event_id: str, offer: Offer) -> None:
    connection.execute(update(events).where(events.c.id == event_id).values(offer=offer.to_json()))


def set_archived(connection: Connection, event_id: str) -> None:
    # A repetition must not begin anew the days after which the event is erased.
    here = (events.c.id == event_id, ~events.c.archived)
    connection.execute(update(events).where(*here).values(archived=True, archived_ms=time.time_ns() // 1_000_000))


def _event(row: Any) -> Event:
    offer = Offer.from_json(row.offer) if row.offer else None
    return Event(**dict(row._mapping) | {"metadata": orjson.loads(row.metadata), "offer": offer})


def _json(metadata: dict[str, str]) -> str:
    return orjson.dumps(metadata).decode()
