"""The audit log of operators' acts."""

from typing import Annotated, Final, get_args

from flask import Response
from pydantic import AliasPath, BeforeValidator, Field

from seating.domain.audit import Action
from seating.domain.errors import RecordUnavailable
from seating.web.application import Routes
from seating.web.callers import Access, open_to
from seating.web.declarations import refuses
from seating.web.parsing import parsed
from seating.web.responses import render
from seating.web.schemas import Answer, Line, Moment, NextCursor, PageQuery, examples
from seating.web.services import services

api = Routes("audit", __name__, "Audit", __doc__)

_ACTIONS: Final = get_args(Action)
"""The actions of this version; a later one may have recorded others."""


class AuditPageQuery(PageQuery):
    cursor: int | None = Field(None, ge=1, le=10**18, description="`next` of the previous page")
    event: Line | None = Field(None, max_length=64, description="only acts on this event")
    actor: Line | None = Field(None, max_length=80, description="only acts of this actor")


class ActView(Answer):
    model_config = examples(
        {
            "id": 7,
            "at": "2026-05-01T10:00:00.000Z",
            "actor": "box-office",
            "address": "192.0.2.1",
            "requestId": "4f1d2c3b5a697887",
            "action": "seat.set",
            "eventId": "demo",
            "target": "sec-1-row-A-seat-1",
            "before": "available",
            "after": "reserved",
            "why": "behind the mixing desk",
            "position": "217907169-42",
        }
    )

    id: int
    at: Moment = Field(validation_alias=AliasPath("act", "at_ms"))
    actor: str = Field(
        validation_alias=AliasPath("act", "actor", "name"),
        description="the name of a person or key; `cli:<login name>` for a command",
    )
    address: str | None = Field(validation_alias=AliasPath("act", "actor", "address"), description="null for a command")
    request_id: str | None = Field(
        validation_alias=AliasPath("act", "actor", "request_id"), description="`X-Request-Id` of the request"
    )
    action: str = Field(validation_alias=AliasPath("act", "action"), description=f"such as {', '.join(_ACTIONS)}")
    event_id: str | None = Field(validation_alias=AliasPath("act", "event_id"))
    target: str | None = Field(
        validation_alias=AliasPath("act", "target"),
        description="part of the event: a seat, a purchase, an entry, an epoch; null for the event itself",
    )
    before: str | None = Field(validation_alias=AliasPath("act", "before"))
    after: str | None = Field(validation_alias=AliasPath("act", "after"))
    why: str | None = Field(validation_alias=AliasPath("act", "actor", "why"), description="if a reason was given")
    position: Annotated[str | None, BeforeValidator(lambda found: found and str(found))] = Field(
        validation_alias=AliasPath("act", "position"),
        description="position of the act's entry in the event's log; null if it made none",
    )


class AuditView(Answer):
    acts: list[ActView] = Field(validation_alias="items")
    next: NextCursor


@api.get("/api/v1/audit", responses={200: AuditView})
@open_to(Access.READERS)
@refuses(RecordUnavailable)
@parsed
def list_acts(query: AuditPageQuery) -> Response:
    """List operators' acts, newest first

    Who did what to what, the state before and after, from where, and why, if a reason was given. A request that was
    refused or changed nothing is not listed. An act that changed an inventory is listed once SQL has its log entry.
    """
    page = services().audit.page(query.cursor, query.limit, query.event, query.actor)
    return render(AuditView.model_validate(page))
