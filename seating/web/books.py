"""For operators: the history of a seat, and what an event has brought in."""

from typing import Annotated, Any

from flask import Response
from pydantic import BeforeValidator, Field

from seating.domain.errors import EventNotFound, InventoryUnavailable, RecordUnavailable, SeatNotFound
from seating.services.income import CategoryIncome, CurrencyIncome, EventIncome
from seating.web.application import Routes
from seating.web.callers import Access, open_to
from seating.web.declarations import refuses
from seating.web.parsing import parsed
from seating.web.responses import render
from seating.web.schemas import Answer, EventPath, Moment, NextCursor, PageQuery, example, examples, is_absent
from seating.web.services import services

api = Routes("books", __name__, "Books", __doc__)

_Empty = Annotated[str | None, BeforeValidator(lambda text: text or None)]


class EventSeatPath(EventPath):
    seat_id: str = Field(description="the seat's id", json_schema_extra=example("sec-1-row-A-seat-1"))


class HistoryQuery(PageQuery):
    cursor: int | None = Field(None, ge=1, le=10**9, description="`next` of the previous page")


class SeatHistoryEntryView(Answer):
    at: Moment = Field(validation_alias="at_ms")
    position: str = Field(description="`<epoch>-<seq>` in the event's log")
    what: str = Field(description="what became of the seat, in words, such as `held` or `sold`")
    purchase_id: _Empty = Field(description="of the purchase that sold or returned it, else null")
    reference: str | None = Field(description="the shop's order number")
    by: str | None = Field(description="name of the operator; null for a buyer")


class SeatHistoryView(Answer):
    model_config = examples(
        {
            "eventId": "demo",
            "seat": "sec-1-row-A-seat-1",
            "history": [
                {
                    "at": "2026-05-01T10:00:00.000Z",
                    "position": "217907169-42",
                    "what": "sold",
                    "purchaseId": "demo.217907169-42.9f1c2b3a4d5e6f70",
                    "reference": "A-1001",
                    "by": None,
                }
            ],
            "next": None,
        }
    )

    event_id: str
    seat: str
    history: list[SeatHistoryEntryView]
    next: NextCursor


class AmountView(Answer):
    seats: int = Field(description="seats, or places in general admission")
    total: int | None = Field(None, exclude_if=is_absent, description="in minor units; only for an event with prices")


class CategoryIncomeView(Answer):
    name: str | None = Field(description="null for what was sold while the event had no categories")
    sold: AmountView = Field(description="through purchases, cancelled ones included")
    cancelled: AmountView
    box_office_seats: int = Field(description="seats or places sold at the box office, whose prices are not recorded")


class _CurrencyIncomeView(Answer):
    sold: AmountView
    cancelled: AmountView
    income: int | None = Field(
        None, exclude_if=is_absent, description="sold less cancelled, in minor units; only for an event with prices"
    )


class OtherCurrencyView(_CurrencyIncomeView):
    """What was sold in a currency that the event had before, over all categories."""

    currency: str = Field(description="ISO 4217")


class IncomeView(_CurrencyIncomeView):
    """All figures except `purchases` and `boxOfficeSeats` are of what was sold in `currency`, or without prices."""

    model_config = examples(
        {
            "eventId": "q2x7mzk4vd",
            "currency": "EUR",
            "purchases": 71,
            "sold": {"seats": 150, "total": 1035000},
            "cancelled": {"seats": 2, "total": 13800},
            "income": 1021200,
            "boxOfficeSeats": 12,
            "categories": [
                {
                    "name": "Stalls",
                    "sold": {"seats": 150, "total": 1035000},
                    "cancelled": {"seats": 2, "total": 13800},
                    "boxOfficeSeats": 12,
                }
            ],
            "otherCurrencies": [],
        }
    )

    event_id: str
    currency: str | None = Field(description="ISO 4217; null for an event without prices")
    purchases: int = Field(description="number of purchases in all currencies, cancelled ones included")
    box_office_seats: int = Field(description="those of all categories")
    categories: list[CategoryIncomeView]
    other_currencies: list[OtherCurrencyView] = Field(
        description="what was sold before the event's currency was changed"
    )


@api.get("/api/v1/events/<event_id>/seats/<path:seat_id>/history", responses={200: SeatHistoryView})
@open_to(Access.READERS)
@refuses(EventNotFound, SeatNotFound, InventoryUnavailable, RecordUnavailable)
@parsed
def get_seat_history(path: EventSeatPath, query: HistoryQuery) -> Response:
    """Get the history of a seat, newest first

    Who had the seat and when, from the event's whole log, including what SQL does not have yet.
    """
    told = services().offload(services().books.history_reader(path.event_id, path.seat_id))
    # A cursor counts from the oldest entry, so entries that come meanwhile move no page.
    end = len(told) if query.cursor is None else min(query.cursor, len(told))
    begin = max(0, end - query.limit)
    page = [SeatHistoryEntryView.model_validate(entry) for entry in reversed(told[begin:end])]
    return render(SeatHistoryView(event_id=path.event_id, seat=path.seat_id, history=page, next=begin or None))


@api.get("/api/v1/events/<event_id>/income", responses={200: IncomeView})
@open_to(Access.READERS)
@refuses(EventNotFound, RecordUnavailable)
@parsed
def get_income(path: EventPath) -> Response:
    """Get what an event has brought in

    As recorded in SQL, by category. What was sold before a change of prices counts with its old price, and before a
    change of the currency apart, in `otherCurrencies`. Sales at the box office are counted apart, because their prices
    are not recorded.
    """
    return render(_income_view(services().income.of(path.event_id)))


def _income_view(found: EventIncome) -> IncomeView:
    has_prices = found.present.currency is not None
    return IncomeView(
        event_id=found.event_id,
        purchases=found.purchases,
        **_of_currency(found.present),
        box_office_seats=sum(each.at_box_office for each in found.categories),
        categories=[_category_view(each, has_prices) for each in found.categories],
        other_currencies=[OtherCurrencyView(**_of_currency(other)) for other in found.others],
    )


def _of_currency(found: CurrencyIncome) -> dict[str, Any]:
    has_prices = found.currency is not None
    return {
        "currency": found.currency,
        "sold": _amount(*found.sold, has_prices),
        "cancelled": _amount(*found.cancelled, has_prices),
        "income": found.sold.total - found.cancelled.total if has_prices else None,
    }


def _category_view(found: CategoryIncome, has_prices: bool) -> CategoryIncomeView:
    return CategoryIncomeView(
        name=found.name,
        sold=_amount(*found.sold, has_prices),
        cancelled=_amount(*found.cancelled, has_prices),
        box_office_seats=found.at_box_office,
    )


def _amount(seats: int, total: int, has_prices: bool) -> AmountView:
    return AmountView(seats=seats, total=total if has_prices else None)
