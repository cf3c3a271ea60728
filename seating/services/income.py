"""What an event has brought in."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from seating.domain.errors import EventNotFound
from seating.services.box_office import BoxOffice
from seating.storage import events, income
from seating.storage.income import Amount
from seating.storage.replica import LaggingReads


class CategoryIncome(NamedTuple):
    """`name` is None for an event without categories; `at_box_office` counts seats or places, without prices."""

    name: str | None
    sold: Amount
    cancelled: Amount
    at_box_office: int


class EventIncome(NamedTuple):
    """`currency` is None for an event without prices."""

    event_id: str
    currency: str | None
    purchases: int
    categories: list[CategoryIncome]


@dataclass(frozen=True, slots=True)
class Income:
    reads: LaggingReads
    box_office: BoxOffice

    def of(self, event_id: str) -> EventIncome:
        """Return what SQL has on record. Raises EventNotFound, RecordUnavailable."""
        at_box_office = Counter[str | None]()
        for sale in self.box_office.sales(event_id):
            at_box_office[sale.category] += sale.quantity
        return self.reads.read_snapshot(_income, event_id, at_box_office)


def _income(connection: Connection, event_id: str, at_box_office: Counter[str | None]) -> EventIncome:
    event = events.find(connection, event_id)
    if event is None:
        raise EventNotFound
    found = income.read(connection, event_id)
    sums = {each.category: each for each in found.by_category}
    named: list[tuple[int | None, str | None]] = [
        (number, category.name) for number, category in enumerate(event.offer.categories if event.offer else ())
    ]
    categories = []
    for number, name in named or [(None, None)]:
        each = sums.get(number) or income.Sum(number, Amount(), Amount())
        categories.append(CategoryIncome(name, each.sold, each.cancelled, at_box_office[name]))
    return EventIncome(event_id, event.offer.currency if event.offer else None, found.purchases, categories)
