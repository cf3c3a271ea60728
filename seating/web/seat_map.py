"""The states of all seats at once: what a map begins with, before the live feed goes on from its position."""

import gzip
from typing import Final

from flask import Response, request
from flask_openapi3 import Tag
from pydantic import Field

from seating.domain.seat_changes import LETTERS
from seating.web.answers import render
from seating.web.application import Routes
from seating.web.parsing import parsed
from seating.web.schemas import Answer, EventPath, problems
from seating.web.services import services

api = Routes("seat_map", __name__, abp_tags=[Tag(name="Seats", description="The map, and who watches it.")])

# Level 1: a map of four letters is a quarter of its size whatever one does.
_COMPRESSION: Final = 1
_WORTH_COMPRESSING_BYTES: Final = 1_000


class SeatMapView(Answer):
    event_id: str
    position: str = Field(description="`<epoch>-<seq>` in the event's log")
    since: str = Field(description="the position and eight characters of its link: give it to the live feed as `since`")
    seats_remaining: int
    statuses: dict[str, str] = Field(description="the word for each letter")
    seats: str = Field(description="a letter a seat, in the plan's order; empty in general admission")


@api.get("/api/v1/events/<event_id>/seats", responses={200: SeatMapView, **problems(404, 503)})
@parsed
def get_seat_map(path: EventPath) -> Response:
    """The states of all seats as of one position

    `seats` has one letter a seat, in the order of the plan: `a` available, `h` held, `r` reserved, `s` sold. The
    WebSocket `/api/v1/events/{id}/live?since=<since>` goes on from there.
    """
    found = services().seat_maps.of(path.event_id)
    response = render(
        SeatMapView(
            event_id=path.event_id,
            position=str(found.since.position),
            since=str(found.since),
            seats_remaining=found.remaining,
            statuses=LETTERS,
            seats=found.seats,
        )
    )
    response.set_etag(f"{path.event_id}.{found.since}.{found.lapsed}", weak=True)
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept-Encoding")
    response.make_conditional(request)
    _compress(response)
    return response


def _compress(response: Response) -> None:
    if response.status_code == 200 and request.accept_encodings["gzip"] > 0:
        body = response.get_data()
        if len(body) >= _WORTH_COMPRESSING_BYTES:
            response.set_data(gzip.compress(body, _COMPRESSION, mtime=0))
            response.content_encoding = "gzip"
