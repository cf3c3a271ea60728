"""Entries that SQL refused, or that belong to a history which SQL does not have: for the operator to decide."""

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from seating.domain.errors import QuarantineEntryNotFound
from seating.domain.position import Position
from seating.storage.quarantine import Aside
from seating.web.answers import render
from seating.web.operator_token import SECURITY, operators_only
from seating.web.parsing import parsed
from seating.web.schemas import (
    QuarantineEntryView,
    QuarantineListView,
    QuarantinePageQuery,
    QuarantinePath,
    problems,
)
from seating.web.services import services

api = APIBlueprint(
    "quarantine", __name__, abp_tags=[Tag(name="Quarantine", description=__doc__)], abp_security=SECURITY
)


@api.get("/api/v1/quarantine", responses={200: QuarantineListView, **problems(400, 401, 503)})
@operators_only
@parsed
def list_quarantine(query: QuarantinePageQuery) -> Response:
    """What waits for the operator"""
    page = services().quarantine.page(None, query.cursor, query.limit)
    next_cursor = None if page.next_offset is None else str(page.next_offset)
    return render(QuarantineListView(entries=[_view(aside) for aside in page.entries], next=next_cursor))


@api.post("/api/v1/quarantine/<event_id>/<position>/replay", responses={204: None, **problems(401, 404, 409, 503)})
@operators_only
@parsed
def replay(path: QuarantinePath) -> Response:
    """Take an entry after all

    Poison is recorded at its place; a purchase of a fork is bought again as it was. 409 `NOT_REPLAYABLE` says why not.
    """
    services().quarantine.replay(path.event_id, _position(path))
    return Response(status=204)


@api.delete("/api/v1/quarantine/<event_id>/<position>", responses={204: None, **problems(401, 404, 503)})
@operators_only
@parsed
def cancel(path: QuarantinePath) -> Response:
    """Take an entry back: a purchase is cancelled, anything else put to rest"""
    services().quarantine.cancel(path.event_id, _position(path))
    return Response(status=204)


def _position(path: QuarantinePath) -> Position:
    try:
        return Position.parse(path.position)
    except ValueError:
        raise QuarantineEntryNotFound from None


def _view(aside: Aside) -> QuarantineEntryView:
    return QuarantineEntryView(
        event_id=aside.event_id,
        position=str(aside.entry.position),
        reason=aside.reason,
        error=aside.error,
        change=aside.entry.change,
    )
