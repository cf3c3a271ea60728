"""The record of events."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, insert, select, update

from seating.domain.event import Event
from seating.domain.offer import Offer
from seating.domain.seating_plan import SeatingPlan
from seating.storage.tables import events

_EVENT = (events.c.id, events.c.name, events.c.capacity, events.c.seated, events.c.archived, events.c.offer)


def add(connection: Connection, event: Event, plan: SeatingPlan | None) -> None:
    """Insert an event. Raises SQLAlchemy's IntegrityError if the id is taken."""
    row = {field: getattr(event, field) for field in ("id", "name", "capacity", "seated", "archived")}
    offer = event.offer.to_json() if event.offer else None
    connection.execute(insert(events).values(**row, plan=plan.pack() if plan else None, offer=offer))


def find(connection: Connection, event_id: str) -> Event | None:
    row = connection.execute(select(*_EVENT).where(events.c.id == event_id)).one_or_none()
    return _event(row) if row else None


def page(connection: Connection, after_id: str, count: int) -> list[Event]:
    """Return at most `count` events after the id `after_id`, ordered by id."""
    query = select(*_EVENT).where(events.c.id > after_id).order_by(events.c.id).limit(count)
    return [_event(row) for row in connection.execute(query)]


def plan_of(connection: Connection, event_id: str) -> SeatingPlan | None:
    packed = connection.execute(select(events.c.plan).where(events.c.id == event_id)).scalar_one_or_none()
    return SeatingPlan.unpack(packed) if packed else None


def live(connection: Connection) -> list[str]:
    """Return the ids of all events that should have an inventory."""
    return list(connection.execute(select(events.c.id).where(~events.c.archived).order_by(events.c.id)).scalars())


def set_state(connection: Connection, event_id: str, state: str) -> None:
    connection.execute(update(events).where(events.c.id == event_id).values(state=state))


def set_offer(connection: Connection, event_id: str, offer: Offer) -> None:
    connection.execute(update(events).where(events.c.id == event_id).values(offer=offer.to_json()))


def set_archived(connection: Connection, event_id: str) -> None:
    connection.execute(update(events).where(events.c.id == event_id).values(archived=True))


def _event(row: Any) -> Event:
    event = Event(*row)
    return replace(event, offer=Offer.from_json(row.offer) if row.offer else None)
