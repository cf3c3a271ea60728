"""The seats of an event: all of them as of one position, and those of the default event one by one."""

from functools import lru_cache, partial
from typing import Any, Final, Literal

import orjson
from flask import Response
from pydantic import BaseModel, Field, RootModel

from seating.domain.errors import BacklogFull, InvalidStatus, SeatHeld, SeatSold, UnknownSeat
from seating.domain.seat_changes import LETTERS
from seating.domain.seat_status import SETTABLE
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store.seat_states import States
from seating.services.seats import Render
from seating.web.application import Routes
from seating.web.callers import Access, actor, open_to
from seating.web.declarations import OF_INVENTORY, refuses, sends
from seating.web.drafts import refuse_hidden_draft
from seating.web.parsing import StrictModel, parsed
from seating.web.responses import accepts_gzip, render, render_kept
from seating.web.schemas import Answer, EventPath, Why, example, examples, without_default
from seating.web.services import default_event, services

api = Routes("seats", __name__, "Seats", "The map, single seats, and who watches.")

_SEAT_ENDS: Final = {letter: f'{word}"}}' for letter, word in LETTERS.items()}


def _one_of_the_words(schema: dict[str, Any]) -> None:
    without_default(schema)
    schema["enum"] = [*SETTABLE]


class SeatPath(BaseModel):
    seat_id: str = Field(description="the seat's id", json_schema_extra=example("sec-1-row-A-seat-1"))


class SeatSetting(StrictModel):
    model_config = examples({"status": "reserved", "why": "behind the mixing desk"}, required=["status"])

    # The service refuses other values, with the text that older clients look for.
    status: Any = Field(None, json_schema_extra=_one_of_the_words, description="new status")
    why: Why | None = None


class SeatView(Answer):
    model_config = examples({"id": "sec-1-row-A-seat-1", "status": "reserved"})

    id: str
    status: Literal["available", "reserved", "sold", "held"]


class SeatList(RootModel[list[SeatView]]):
    """In the plan's order."""


class SeatUpdated(Answer):
    message: Literal["Seat updated"] = "Seat updated"
    seat: SeatView


class SeatMapView(Answer):
    model_config = examples(
        {
            "eventId": "demo",
            "position": "217907169-42",
            "since": "217907169-42.0f3a9c5e",
            "seatsRemaining": 2,
            "statuses": LETTERS,
            "seats": "aahs",
        }
    )

    event_id: str
    position: str = Field(description="`<epoch>-<seq>` in the event's log")
    since: str = Field(description="the position and eight characters of its link: pass it to the live feed as `since`")
    seats_remaining: int
    statuses: dict[str, str] = Field(description="the word for each letter")
    seats: str = Field(description="one letter per seat, in the plan's order; empty in general admission")


@api.get("/seats", responses={200: SeatList, 304: None})
@open_to(Access.ANYBODY)
@refuses(*OF_INVENTORY)
@sends("Cache-Control", "ETag", "Position")
def list_seats() -> Response:
    """List the default event's seats

    All seats as of one position, which is in the header `Position`. With `If-None-Match`, an unchanged list is 304.
    """
    event_id = default_event()
    return _render_page(event_id, "list", partial(_list, event_id))


@api.patch("/seats/<path:seat_id>", responses={200: SeatUpdated})
@open_to(Access.OPERATORS)
@refuses(*OF_INVENTORY, BacklogFull, InvalidStatus, SeatHeld, SeatSold, UnknownSeat)
@parsed
def set_seat(path: SeatPath, body: SeatSetting) -> Response:
    """Set a seat of the default event

    `sold` is a sale at the box office, `reserved` takes the seat out of the sale, `held` is the organiser's hold, which
    does not expire, and `available` puts the seat back on sale. A seat that a buyer owns or holds is refused.
    """
    seat = services().seats.set(default_event(), path.seat_id, body.status, actor(body.why))
    return render(SeatUpdated(seat=SeatView.model_validate(seat)))


@api.get("/api/v1/events/<event_id>/seats", responses={200: SeatMapView, 304: None})
@open_to(Access.ANYBODY)
@refuses(*OF_INVENTORY)
@sends("Cache-Control", "ETag", "Position")
@parsed
def get_seat_map(path: EventPath) -> Response:
    """Get the status of all seats as of one position

    `seats` has one letter per seat, in the plan's order: `a` available, `h` held, `r` reserved, `s` sold. The WebSocket
    `/api/v1/events/{id}/live?since=<since>` continues from there. The position is also in the header `Position`.
    With `If-None-Match`, an unchanged map is 304.
    """
    return _render_page(path.event_id, "map", partial(_map, path.event_id))


def _render_page(event_id: str, name: str, make: Render) -> Response:
    refuse_hidden_draft(event_id)
    page = services().seat_maps.page(event_id, name, make, gzipped=accepts_gzip())
    response = render_kept(page.body, page.tag, gzipped=page.gzipped)
    response.headers["Position"] = str(page.position)
    return response


def _map(event_id: str, found: States) -> bytes:
    """As SeatMapView, which documents it."""
    fields = {
        "eventId": event_id,
        "position": str(found.checkpoint.position),
        "since": str(found.since),
        "seatsRemaining": found.remaining,
        "statuses": LETTERS,
        "seats": "",
    }
    # Letters need no escaping, for which orjson would reserve eight times their room.
    return b'%s%s"}' % (orjson.dumps(fields)[:-2], found.seats.encode())


def _list(event_id: str, found: States) -> bytes:
    """As SeatList, which documents it, at a hundredth of its cost."""
    seats = found.seats
    plan = services().seats.names.plan(event_id) if seats else None
    if plan is None:
        return b"[]"
    parts = _without_statuses(plan)
    # A damaged map can be longer or shorter than its plan.
    letters = seats[: len(parts) // 2]
    parts = parts[: 2 * len(letters)]
    parts[1::2] = map(_SEAT_ENDS.__getitem__, letters)
    parts.append("]")
    return "".join(parts).encode()  # Joining bytes would take a buffer of 80 bytes for each part.


@lru_cache(maxsize=1)  # There is one default event.
def _without_statuses(plan: SeatingPlan) -> list[str]:
    """How the JSON of each seat begins, each followed by room for how it ends."""
    parts: list[str] = []
    for seat in (seat for block in plan.blocks for row in block for seat in row):
        parts += (f'{"," if parts else "["}{{"id":{orjson.dumps(seat).decode()},"status":"', "")
    return parts
