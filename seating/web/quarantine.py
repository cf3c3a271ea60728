"""Entries that SQL rejected, or that belong to another history: an operator decides on them."""

from flask import Response
from pydantic import AliasPath, Field

from seating.domain.errors import BacklogFull, EventNotFound, InventoryUnavailable, PurchaseNotFound, RecordUnavailable
from seating.domain.recovery_errors import NotReplayable, QuarantineEntryNotFound
from seating.web.application import Routes
from seating.web.callers import Access, actor, open_to
from seating.web.declarations import OF_INVENTORY, refuses
from seating.web.parsing import parsed
from seating.web.responses import render
from seating.web.schemas import Answer, AsText, EventPath, NextCursor, OffsetQuery, WhyQuery, example, examples
from seating.web.services import services

api = Routes("quarantine", __name__, "Quarantine", __doc__)


class QuarantinePath(EventPath):
    position: str = Field(
        description="the entry's position, `<epoch>-<seq>`", json_schema_extra=example("217907169-42")
    )


class QuarantineEntryView(Answer):
    model_config = examples(
        {
            "eventId": "demo",
            "position": "217907169-42",
            "reason": "fork",
            "error": "SQL has another entry in this place",
            "change": '{"kind":"purchased"}',
            "private": '{"salt":"9f1c2b3a4d5e6f709f1c2b3a4d5e6f70","reference":"A-1001"}',
        }
    )

    event_id: str
    position: AsText = Field(validation_alias=AliasPath("entry", "position"))
    reason: str = Field(
        description="poison: SQL rejected it; fork: SQL has another entry in its place; lost: of a purchase that is "
        "known only from a receipt"
    )
    error: str = Field(validation_alias="words", description="why, in words")
    change: str = Field(validation_alias=AliasPath("entry", "change"), description="the entry, raw")
    private: str | None = Field(
        validation_alias=AliasPath("entry", "private"), description="the personal data beside it, raw"
    )


class QuarantineListView(Answer):
    entries: list[QuarantineEntryView] = Field(validation_alias="items")
    next: NextCursor


@api.get("/api/v1/quarantine", responses={200: QuarantineListView})
@open_to(Access.READERS)
@refuses(RecordUnavailable)
@parsed
def list_quarantine(query: OffsetQuery) -> Response:
    """List the waiting entries"""
    return render(QuarantineListView.model_validate(services().quarantine.page(None, query.cursor, query.limit)))


@api.post("/api/v1/quarantine/<event_id>/<position>/replay", responses={204: None})
@open_to(Access.OPERATORS)
@refuses(EventNotFound, QuarantineEntryNotFound, NotReplayable, RecordUnavailable, InventoryUnavailable)
@parsed
def replay_quarantine_entry(path: QuarantinePath, query: WhyQuery) -> Response:
    """Record an entry after all

    Poison is recorded in its place; a purchase of a fork is sold again unchanged. 409 `NOT_REPLAYABLE` says why not.
    """
    services().quarantine.replay(path.event_id, path.position, actor(query.why))
    return Response(status=204)


@api.delete("/api/v1/quarantine/<event_id>/<position>", responses={204: None})
@open_to(Access.OPERATORS)
@refuses(*OF_INVENTORY, QuarantineEntryNotFound, PurchaseNotFound, RecordUnavailable, BacklogFull)
@parsed
def cancel_quarantine_entry(path: QuarantinePath, query: WhyQuery) -> Response:
    """Dismiss an entry: a purchase is cancelled, anything else resolved"""
    services().quarantine.cancel(path.event_id, path.position, actor(query.why))
    return Response(status=204)
