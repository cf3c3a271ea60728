"""The seats of the default event, one by one."""

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from seating.services.seats import Seat
from seating.web.answers import render
from seating.web.operator_token import SECURITY, operators_only
from seating.web.parsing import parsed
from seating.web.schemas import problems
from seating.web.seat_schemas import SeatList, SeatPath, SeatSetting, SeatUpdated, SeatView
from seating.web.services import services, settings

api = APIBlueprint("seats", __name__, abp_tags=[Tag(name="Seats", description=__doc__)])


@api.get("/seats", responses={200: SeatList, **problems(404, 503)})
def list_seats() -> Response:
    """What every seat of the default event is"""
    seats = services().seats.all(settings().default_event)
    return render(SeatList([_view(seat) for seat in seats]))


@api.patch(
    "/seats/<path:seat_id>",
    responses={200: SeatUpdated, **problems(400, 401, 404, 408, 409, 413, 415, 503)},
    security=SECURITY,
)
@operators_only
@parsed
def set_seat(path: SeatPath, body: SeatSetting) -> Response:
    """Set a seat of the default event

    `sold` is a sale at the box office, `reserved` takes the seat out of the sale, `held` is the organiser's hold, which
    does not expire, and `available` takes any of them back. What a buyer has is refused.
    """
    return render(SeatUpdated(seat=_view(services().seats.set(settings().default_event, path.seat_id, body.status))))


def _view(seat: Seat) -> SeatView:
    return SeatView(id=seat.id, status=seat.status)
