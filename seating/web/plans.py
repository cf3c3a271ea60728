"""Seating plans: what a map of the seats is drawn from."""

from flask import Response
from flask_openapi3 import Tag
from pydantic import ConfigDict, Field

from seating.domain.errors import EventNotFound, InventoryUnavailable, PlanNotFound
from seating.web.application import Routes
from seating.web.callers import Access, open_to
from seating.web.declarations import refuses, sends
from seating.web.parsing import parsed
from seating.web.responses import accepts_gzip, render_kept
from seating.web.schemas import Answer, EventPath, examples
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

    model_config = examples(
        {
            "totalSeats": 2,
            "name": "",
            "size": None,
            "categories": [{"name": "Section 1", "color": None}],
            "areas": [],
            "blocks": [
                {
                    "name": "Section 1",
                    "category": 0,
                    "rows": [
                        {
                            "seats": ["sec-1-row-A-seat-1", "sec-1-row-A-seat-2"],
                            "label": "A",
                            "numbers": ["1", "2"],
                            "x": [0, 1],
                            "y": [0, 0],
                        }
                    ],
                }
            ],
        }
    )

    total_seats: int
    name: str
    size: PlanSize | None
    categories: list[PlanCategory]
    areas: list[PlanArea]
    blocks: list[PlanBlock]


@api.get("/api/v1/events/<event_id>/plan", responses={200: PlanView, 304: None})
@open_to(Access.ANYBODY)
@refuses(EventNotFound, InventoryUnavailable, PlanNotFound)
@sends("Cache-Control", "ETag")
@parsed
def get_plan(path: EventPath) -> Response:
    """The seating plan of an event

    It never changes: ask once, and with `If-None-Match` later.
    """
    gzipped = accepts_gzip()
    page = services().plan_pages.of(path.event_id, gzipped=gzipped)
    return render_kept(page.body, page.etag, gzipped=gzipped, cache_control="public, max-age=86400, immutable")
