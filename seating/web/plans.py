"""Seating plans: what a map of the seats is drawn from."""

import gzip

from flask import Response, request
from flask_openapi3 import Tag
from pydantic import ConfigDict, Field

from seating.web.application import Routes
from seating.web.parsing import parsed
from seating.web.schemas import Answer, EventPath, problems
from seating.web.services import services

api = Routes("plans", __name__, abp_tags=[Tag(name="Plans", description=__doc__)])


class PlanRow(Answer):
    seats: list[str] = Field(description="ids, in the order in which they stand")
    label: str
    numbers: list[str] = Field(description="of each seat, as it is written on it")
    x: list[float]
    y: list[float]


class PlanBlock(Answer):
    name: str
    category: int = Field(description="place in `categories`")
    rows: list[PlanRow]


class PlanCategory(Answer):
    name: str
    color: str | None


class PlanSize(Answer):
    width: int
    height: int


class PlanArea(Answer):
    """As the file has it, but for `position`, which is that in the whole plan."""

    model_config = ConfigDict(extra="allow")


class PlanView(Answer):
    """Blocks and rows are in the order of the map of states."""

    total_seats: int
    name: str
    size: PlanSize | None
    categories: list[PlanCategory]
    areas: list[PlanArea]
    blocks: list[PlanBlock]


@api.get("/api/v1/events/<event_id>/plan", responses={200: PlanView, 304: None, **problems(404, 409, 503)})
@parsed
def get_plan(path: EventPath) -> Response:
    """The seating plan of an event

    It never changes: ask once, and with `If-None-Match` later.
    """
    page = services().plan_pages.of(path.event_id)
    gzipped = request.accept_encodings["gzip"] > 0
    response = Response(content_type="application/json")
    response.headers["Cache-Control"] = "public, max-age=86400, immutable"
    response.headers["Vary"] = "Accept-Encoding"
    response.set_etag(page.etag, weak=True)  # The same for either coding.
    if request.if_none_match.contains_weak(page.etag):
        response.status_code = 304
        return response
    if gzipped:
        response.headers["Content-Encoding"] = "gzip"
    response.set_data(page.gzipped if gzipped else gzip.decompress(page.gzipped))
    return response
