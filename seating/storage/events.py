"""The record of events."""

from sqlalchemy import Connection, Row, insert, select

from seating.domain.event import Event
from seating.domain.log_entry import BEGINNING
from seating.domain.seating_plan import SeatingPlan
from seating.storage.tables import events, watermarks

_EVENT = (events.c.id, events.c.name, events.c.capacity, events.c.seated)


def add(connection: Connection, event: Event, plan: SeatingPlan | None) -> None:
    """Records an event whose log has not begun. Raises sqlalchemy's IntegrityError if its id is taken."""
    connection.execute(
        insert(events).values(
            id=event.id,
            name=event.name,
            capacity=event.capacity,
            seated=event.seated,
            plan=plan.pack() if plan else None,
        )
    )
    position, link = BEGINNING
    connection.execute(
        insert(watermarks).values(event_id=event.id, epoch=position.epoch, seq=position.seq, link=link)
    )


def find(connection: Connection, event_id: str) -> Event | None:
    row = connection.execute(select(*_EVENT).where(events.c.id == event_id)).one_or_none()
    return _event(row) if row else None


def page(connection: Connection, after_id: str, count: int) -> list[Event]:
    """At most `count` events in the order of their ids, from the first one after `after_id`."""
    query = select(*_EVENT).where(events.c.id > after_id).order_by(events.c.id).limit(count)
    return [_event(row) for row in connection.execute(query)]


def plan_of(connection: Connection, event_id: str) -> SeatingPlan | None:
    packed = connection.execute(select(events.c.plan).where(events.c.id == event_id)).scalar_one_or_none()
    return SeatingPlan.unpack(packed) if packed else None


def _event(row: Row[tuple[str, str, int, bool]]) -> Event:
    return Event(id=row.id, name=row.name, capacity=row.capacity, seated=row.seated)
