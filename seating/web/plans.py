"""Seating plans, for drawing seat maps."""

from typing import Literal

from flask import Response
from pydantic import ConfigDict, Field

from seating.domain.errors import EventNotFound, InventoryUnavailable, PlanNotFound
from seating.web.application import Routes
from seating.web.callers import Access, open_to
from seating.web.declarations import refuses, sends
from seating.web.drafts import refuse_hidden_draft
from seating.web.parsing import parsed
from seating.web.responses import accepts_gzip, render_kept
from seating.web.schemas import Answer, EventPath, examples
from seating.web.services import services

api = Routes("plans", __name__, "Plans", __doc__)


class PlanRow(Answer):
    seats: list[str] = Field(description="seat ids, in their order in the row")
    label: str
    numbers: list[str] = Field(description="the number printed on each seat")
    x: list[float]
    y: list[float]
    row_label: str = Field("", description="of the row in words, if the plan has it; so with all that follow")
    seat_label: str = Field("", description="of its seats in words, `%s` for the number")
    row_number_position: Literal["start", "end", "both"] | None = Field(
        None, description="where `label` is drawn; nowhere if it is missing"
    )
    radius: list[float | None] = Field([], description="of each seat; null is 10")
    start_directions: list[str | None] = Field([], description="of each seat: `<`, `>` or `<>`")
    start_at: str = ""
    start_ats: list[str | None] = Field([], description="of each seat")


class PlanBlock(Answer):
    name: str = Field(description="of its zone")
    zone: int = Field(0, description="index in `zones`")
    category: int = Field(description="index in `categories`")
    rows: list[PlanRow]


class PlanCategory(Answer):
    name: str
    color: str | None


class PlanSize(Answer):
    width: int
    height: int


class PlanZone(Answer):
    name: str
    zone_id: str = Field("", description="if the plan has it")
    displayed: bool | None = Field(None, description="whether its outlines are drawn, if the plan says so")


class PlanArea(Answer):
    """An area as in the file, except that `position` is relative to the whole plan."""

    model_config = ConfigDict(extra="allow")


class PlanView(Answer):
    """Blocks and rows are in the order of the snapshot's letters."""

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
    zones: list[PlanZone] = Field([], description="of a plan from a file")
    blocks: list[PlanBlock]


@api.get("/api/v1/events/<event_id>/plan", responses={200: PlanView, 304: None})
@open_to(Access.ANYBODY)
@refuses(EventNotFound, InventoryUnavailable, PlanNotFound)
@sends("Cache-Control", "ETag")
@parsed
def get_plan(path: EventPath) -> Response:
    """Get the seating plan of an event

    It never changes: get it once, and use `If-None-Match` afterwards.
    """
    is_draft = refuse_hidden_draft(path.event_id)
    gzipped = accepts_gzip()
    document = services().plan_documents.of(path.event_id, gzipped=gzipped)
    # A shared cache must not show a draft to those for whom it does not exist.
    cached = "private, no-cache" if is_draft else "public, max-age=86400, immutable"
    return render_kept(document.body, document.etag, gzipped=gzipped, cache_control=cached)
