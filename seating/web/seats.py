"""The seats of the default event, one by one."""

from typing import Any, Literal

from flask import Response
from flask_openapi3 import Tag
from pydantic import BaseModel, Field, RootModel

from seating.domain.seat_status import SETTABLE
from seating.web.answers import render
from seating.web.application import Routes
from seating.web.operator_token import SECURITY, operators_only
from seating.web.orders import without_default
from seating.web.parsing import StrictModel, parsed
from seating.web.schemas import Answer, problems
from seating.web.services import services, settings

api = Routes("seats", __name__, abp_tags=[Tag(name="Seats", description=__doc__)])


def _one_of_the_words(schema: dict[str, Any]) -> None:
    without_default(schema)
    schema["enum"] = [*SETTABLE]


class SeatPath(BaseModel):
    seat_id: str = Field(description="the seat's id")


class SeatSetting(StrictModel):
    status: Any = Field(None, json_schema_extra=_one_of_the_words, description="what the seat shall be")


class SeatView(Answer):
    id: str
    status: Literal["available", "reserved", "sold", "held"]


class SeatList(RootModel[list[SeatView]]):
    """In the plan's order."""


class SeatUpdated(Answer):
    message: Literal["Seat updated"] = "Seat updated"
    seat: SeatView


@api.get("/seats", responses={200: SeatList, **problems(404, 503)})
def list_seats() -> Response:
    """What every seat of the default event is"""
    return render(SeatList.model_validate(services().seats.all(settings().default_event)))


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
    seat = services().seats.set(settings().default_event, path.seat_id, body.status)
    return render(SeatUpdated(seat=SeatView.model_validate(seat)))
