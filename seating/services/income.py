"""What an event has brought in, and what was sold at the box office: seats that the organiser set to sold."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Self

from sqlalchemy import Connection

from seating.domain.errors import EventNotFound
from seating.domain.offer import Offer
from seating.domain.seat_status import BOX_OFFICE
from seating.storage import events, income, organiser
from seating.storage.income import Amount, together
from seating.storage.replica import LaggingReads


class BoxOfficeSale(NamedTuple):
    """`at_ms` is None where the entry that tells of it was replaced by a merge; `category` where the event has none.

    In general admission it stands for all places of a category, `seat` is empty, and `at_ms` is of the last sale.
    """

    seat: str
    at_ms: int | None
    category: str | None
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class BoxOffice:
    reads: LaggingReads

    def sales(self, event_id: str) -> list[BoxOfficeSale]:
        """Those that stand, in the plan's order; in general admission, in that of the categories."""
        return self.reads.read_snapshot(_box_office_sales, event_id)


class CategoryIncome(NamedTuple):
    """`name` is None for what was sold without categories; `at_box_office` counts seats or places, without prices."""

    name: str | None
    sold: Amount
    cancelled: Amount
    at_box_office: int


class CurrencyIncome(NamedTuple):
    """`currency` is None for an event without prices."""

    currency: str | None
    sold: Amount
    cancelled: Amount

    @classmethod
    def of(cls, currency: str | None, sums: Collection[CategoryIncome | income.Sum]) -> Self:
        """Add up what was sold in one currency."""
        return cls(currency, together([each.sold for each in sums]), together([each.cancelled for each in sums]))


class EventIncome(NamedTuple):
    """`present` and `categories` are what was sold in the event's currency, or without prices.

    `others` are in currencies that it had before.
    """

    event_id: str
    purchases: int
    present: CurrencyIncome
    categories: list[CategoryIncome]
    others: list[CurrencyIncome]


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


def _box_office_sales(connection: Connection, event_id: str) -> list[BoxOfficeSale]:
    event, plan = events.find(connection, event_id), events.plan_of(connection, event_id)
    if plan is None:
        found = organiser.places(connection, event_id)
        sold = (places for places in found if places.status == BOX_OFFICE)
        return [BoxOfficeSale("", places.at_ms, places.category, places.quantity) for places in sold]
    at_ms = {seat.seat_id: seat.at_ms for seat in organiser.seats_of_status(connection, event_id, BOX_OFFICE)}
    if not at_ms:
        return []
    names = [category.name for category in event.offer.categories] if event and event.offer else []
    return [
        BoxOfficeSale(seat, at_ms[seat], names[plan.parts.category_of[run.block]] if names else None)
        for run in plan.runs_of(list(at_ms))
        for seat in plan.seats_of([run])
    ]


def _income(connection: Connection, event_id: str, at_box_office: Counter[str | None]) -> EventIncome:
    event = events.find(connection, event_id)
    if event is None:
        raise EventNotFound
    offer = event.offer or Offer()
    found = income.read(connection, event_id, offer.currency)
    by_currency = {currency: [*sums] for currency, sums in groupby(found.by_category, attrgetter("currency"))}
    categories = _categories(offer, by_currency.pop(offer.currency, []), at_box_office)
    return EventIncome(
        event_id,
        found.purchases,
        CurrencyIncome.of(offer.currency, categories),
        categories,
        [CurrencyIncome.of(currency, sums) for currency, sums in by_currency.items()],
    )


def _categories(offer: Offer, sums: Iterable[income.Sum], at_box_office: Counter[str | None]) -> list[CategoryIncome]:
    """Return all categories in their order, also those of which nothing was sold."""
    by_number = {each.category: each for each in sums}
    named: list[tuple[int | None, str | None]] = [
        (number, category.name) for number, category in enumerate(offer.categories)
    ]
    # Also what was sold before the event had categories.
    if not named or None in by_number or at_box_office[None]:
        named.append((None, None))
    nothing = income.Sum(None, None, Amount(), Amount())
    found = []
    for number, name in named:
        each = by_number.get(number, nothing)
        found.append(CategoryIncome(name, each.sold, each.cancelled, at_box_office[name]))
    return found
