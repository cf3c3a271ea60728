"""What was sold and cancelled of an event, summed by what its seats were sold as and by currency."""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, Self

from sqlalchemy import Connection, case, func, select

from seating.domain import sold_as
from seating.domain.seating_plan import SeatRange, places
from seating.domain.sold_as import Charge
from seating.storage.database import batches
from seating.storage.tables import purchases

_UNPRICED = Charge(-1, None)
"""Of events without categories."""


class Amount(NamedTuple):
    """Seats, and what they cost together in minor units."""

    seats: int = 0
    total: int = 0

    def plus(self, seats: int, price: int | None) -> Self:
        return self._replace(seats=self.seats + seats, total=self.total + seats * (price or 0))


def together(amounts: Collection[Amount]) -> Amount:
    """Add up amounts of one currency."""
    return Amount(sum(each.seats for each in amounts), sum(each.total for each in amounts))


class Sum(NamedTuple):
    """`category` is its number, None for what was sold without categories. `sold` has what was cancelled since, too."""

    currency: str | None
    category: int | None
    sold: Amount
    cancelled: Amount


class Sums(NamedTuple):
    purchases: int
    by_category: list[Sum]


_Part = tuple[str | None, Charge, int, int]
"""Currency, charge, sold and cancelled seats."""


def read(connection: Connection, event_id: str, currency: str | None) -> Sums:
    """Return the sums of all purchases on record, by currency and by the number of the category.

    What was sold without prices counts to `currency`. SQL adds up; only purchases of several prices are read one by
    one.
    """
    columns = purchases.c
    gone = case((columns.cancelled_ms.is_(None), 0), else_=columns.cancelled_quantity)
    grouped = select(
        columns.currency,
        columns.tariff,
        func.count().label("purchases"),
        func.sum(columns.quantity).label("sold"),
        func.sum(gone).label("cancelled"),
    ).where(columns.event_id == event_id)
    groups = connection.execute(grouped.group_by(columns.currency, columns.tariff)).all()
    parts: list[_Part] = []
    mixed: set[str] = set()
    for group in groups:
        charges = {*sold_as.charges_of(group.tariff)} if group.tariff else {_UNPRICED}
        if len(charges) == 1:
            parts.append((group.currency, charges.pop(), int(group.sold), int(group.cancelled)))
        else:
            mixed.add(group.tariff)
    for some in batches(sorted(mixed)):
        parts += _one_by_one(connection, event_id, some)
    return Sums(sum(group.purchases for group in groups), _added(parts, currency))


def _one_by_one(connection: Connection, event_id: str, tariffs: list[str]) -> Iterator[_Part]:
    """Yield each run of the purchases with these tariffs."""
    columns = purchases.c
    query = select(columns.currency, columns.tariff, columns.runs, columns.quantity, columns.cancelled_ms).add_columns(
        columns.cancelled_quantity, columns.cancelled_runs
    )
    for row in connection.execute(query.where(columns.event_id == event_id, columns.tariff.in_(tariffs))):
        runs = SeatRange.parse_all(row.runs)
        is_whole = row.cancelled_ms is not None and row.cancelled_quantity == row.quantity
        cancelled = {*places(SeatRange.parse_all(row.cancelled_runs))} if row.cancelled_ms is not None else set()
        for charge, run in zip(sold_as.charges_of(row.tariff), runs, strict=True):
            gone = run.length if is_whole else sum(place in cancelled for place in places([run]))
            yield row.currency, charge, run.length, gone


def _added(parts: Iterable[_Part], unpriced: str | None) -> list[Sum]:
    """Add up by currency and category, in the order of both; what has no currency counts to `unpriced`."""
    sums: dict[tuple[str, int], Sum] = {}
    for said, (category, price), sold, cancelled in parts:
        currency = said or unpriced
        key = currency or "", category
        so_far = sums.get(key, Sum(currency, None if category < 0 else category, Amount(), Amount()))
        sums[key] = so_far._replace(
            sold=so_far.sold.plus(sold, price), cancelled=so_far.cancelled.plus(cancelled, price)
        )
    return [sums[key] for key in sorted(sums)]
