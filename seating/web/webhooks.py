"""Endpoints of other systems that are told of changes."""

from typing import Annotated, Final, Literal

from flask import Response
from pydantic import AfterValidator, AliasPath, BaseModel, Field

from seating.domain.errors import EventNotFound, RecordUnavailable, TooManyWebhooks, WebhookNotFound
from seating.domain.webhook import MAX_URL, TYPES, MessageType, parse_webhook_id
from seating.services.webhooks import WebhookReport
from seating.web.application import Routes
from seating.web.callers import Access, actor, open_to
from seating.web.declarations import refuses
from seating.web.parsing import StrictModel, parsed
from seating.web.responses import render
from seating.web.schemas import (
    Answer,
    Line,
    Moment,
    MomentOrNull,
    NextCursor,
    OffsetQuery,
    PageQuery,
    Why,
    WhyQuery,
    example,
    examples,
)
from seating.web.services import services, settings

api = Routes("webhooks", __name__, "Webhooks", __doc__)

_EventId = Annotated[Line, Field(min_length=1, max_length=64)]
_WEBHOOK: Final = {
    "id": "k3v7xq2mza",
    "url": "https://shop.example/hooks/seating",
    "eventId": None,
    "types": ["purchase.sold", "purchase.cancelled"],
    "state": "active",
    "createdAt": "2026-05-01T10:00:00.000Z",
    "pausedAt": None,
    "pausedWhy": None,
    "lag": 2,
    "failingSince": "2026-05-01T10:05:00.000Z",
    "error": "status 500",
}


class WebhookPath(BaseModel):
    webhook_id: Annotated[str, AfterValidator(parse_webhook_id)] = Field(
        description="the webhook's id", json_schema_extra=example("k3v7xq2mza")
    )


class CursorPageQuery(PageQuery):
    cursor: str = Field("", pattern=r"^([a-z0-9][a-z0-9-]{0,63})?$", description="`next` of the previous page")


class NewWebhook(StrictModel):
    model_config = examples({"url": "https://shop.example/hooks/seating", "types": ["purchase.sold"]})

    url: Line = Field(
        min_length=1,
        max_length=MAX_URL,
        description="where messages are sent to: https, and a host with public addresses only",
        json_schema_extra=example("https://shop.example/hooks/seating"),
    )
    event_id: _EventId | None = Field(None, alias="eventId", description="only this event; by default all")
    types: list[MessageType] = Field(
        [], max_length=len(TYPES), description="only messages of these types; by default all"
    )
    why: Why | None = None


class WebhookChange(StrictModel):
    model_config = examples({"state": "paused", "why": "the shop moves to another host"})

    state: Literal["active", "paused"]
    why: Why | None = None


class ReplayOrder(StrictModel):
    model_config = examples({"eventId": "demo", "since": "217907169-42"})

    event_id: _EventId = Field(alias="eventId")
    since: str | None = Field(
        None, max_length=40, description="everything after this position in the event's log; by default all of it"
    )
    why: Why | None = None


class WebhookView(Answer):
    model_config = examples(_WEBHOOK)

    id: str = Field(validation_alias=AliasPath("webhook", "id"))
    url: str = Field(validation_alias=AliasPath("webhook", "url"))
    event_id: str | None = Field(validation_alias=AliasPath("webhook", "event_id"), description="null for all events")
    types: list[MessageType] = Field(validation_alias=AliasPath("webhook", "types"), description="empty for all types")
    state: Literal["active", "paused"]
    created_at: Moment = Field(validation_alias=AliasPath("webhook", "created_ms"))
    paused_at: MomentOrNull = Field(validation_alias=AliasPath("webhook", "paused_ms"))
    paused_why: str | None = Field(validation_alias=AliasPath("webhook", "paused_why"))
    lag: int = Field(description="number of log entries that are recorded and not delivered yet, over all events")
    failing_since: MomentOrNull = Field(
        validation_alias="failing_since_ms", description="null while deliveries succeed"
    )
    error: str | None = Field(description="why a delivery failed last; null while they succeed")


class NewWebhookView(WebhookView):
    model_config = examples(
        _WEBHOOK | {"failingSince": None, "error": None, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    )

    secret: str = Field(
        validation_alias=AliasPath("webhook", "secret"), description="verifies signatures; not shown again"
    )


class WebhookListView(Answer):
    webhooks: list[WebhookView] = Field(validation_alias="items")
    next: NextCursor


class CursorView(Answer):
    model_config = examples(
        {
            "eventId": "demo",
            "position": "217907169-42",
            "lag": 1,
            "failingSince": None,
            "nextAttemptAt": None,
            "error": None,
        }
    )

    event_id: str
    position: str | None = Field(description="of the last log entry that is done with; null before the first")
    lag: int = Field(description="number of log entries that are recorded and not delivered yet")
    failing_since: MomentOrNull
    next_attempt_at: MomentOrNull
    error: str | None


class CursorListView(Answer):
    cursors: list[CursorView]
    next: NextCursor


@api.get("/api/v1/webhooks", responses={200: WebhookListView})
@open_to(Access.READERS)
@refuses(RecordUnavailable)
@parsed
def list_webhooks(query: OffsetQuery) -> Response:
    """List webhooks, oldest first"""
    page = services().webhooks.page(query.cursor, query.limit)
    return render(WebhookListView.model_validate(page))


@api.post("/api/v1/webhooks", responses={201: NewWebhookView})
@open_to(Access.OPERATORS)
@refuses(EventNotFound, TooManyWebhooks, RecordUnavailable)
@parsed
def add_webhook(body: NewWebhook) -> Response:
    """Add a webhook

    It is told what happens from now on. The response has its secret, which is not shown again.
    """
    allow = settings().webhook_allow_private
    added = services().webhooks.add(body.url, body.event_id, list(body.types), actor(body.why), allow_private=allow)
    return render(_with_secret(WebhookReport(added, 0, None, None)), 201)


@api.get("/api/v1/webhooks/<webhook_id>", responses={200: WebhookView})
@open_to(Access.READERS)
@refuses(WebhookNotFound, RecordUnavailable)
@parsed
def get_webhook(path: WebhookPath) -> Response:
    """Get a webhook"""
    return render(WebhookView.model_validate(services().webhooks.get(path.webhook_id)))


@api.patch("/api/v1/webhooks/<webhook_id>", responses={200: WebhookView})
@open_to(Access.OPERATORS)
@refuses(WebhookNotFound, RecordUnavailable)
@parsed
def change_webhook(path: WebhookPath, body: WebhookChange) -> Response:
    """Pause or resume a webhook

    `active` goes on where it stopped, and tries at once what failed. Nothing is skipped.
    """
    change = services().webhooks.pause if body.state == "paused" else services().webhooks.resume
    change(path.webhook_id, actor(body.why))
    return render(WebhookView.model_validate(services().webhooks.get(path.webhook_id)))


@api.post("/api/v1/webhooks/<webhook_id>/rotate", responses={200: NewWebhookView})
@open_to(Access.OPERATORS)
@refuses(WebhookNotFound, RecordUnavailable)
@parsed
def rotate_webhook(path: WebhookPath, query: WhyQuery) -> Response:
    """Give a webhook a new secret

    The response has it; it is not shown again. For a day, messages are signed with the former one too.
    """
    return render(_with_secret(services().webhooks.rotate(path.webhook_id, actor(query.why))))


@api.delete("/api/v1/webhooks/<webhook_id>", responses={204: None})
@open_to(Access.OPERATORS)
@refuses(WebhookNotFound, RecordUnavailable)
@parsed
def remove_webhook(path: WebhookPath, query: WhyQuery) -> Response:
    """Remove a webhook"""
    services().webhooks.remove(path.webhook_id, actor(query.why))
    return Response(status=204)


@api.get("/api/v1/webhooks/<webhook_id>/cursors", responses={200: CursorListView})
@open_to(Access.READERS)
@refuses(WebhookNotFound, RecordUnavailable)
@parsed
def list_webhook_cursors(path: WebhookPath, query: CursorPageQuery) -> Response:
    """List how far a webhook has got with each event, in order of event ids"""
    page = services().webhooks.cursors(path.webhook_id, query.cursor, query.limit)
    cursors = [
        CursorView(
            event_id=found.cursor.event_id,
            position=str(found.position) if found.position else None,
            lag=found.lag,
            failing_since=found.cursor.failing.since_ms if found.cursor.failing else None,
            next_attempt_at=found.cursor.failing.next_ms if found.cursor.failing else None,
            error=found.cursor.failing.reason if found.cursor.failing else None,
        )
        for found in page.items
    ]
    return render(CursorListView(cursors=cursors, next=page.next))


@api.post("/api/v1/webhooks/<webhook_id>/replay", responses={204: None})
@open_to(Access.OPERATORS)
@refuses(WebhookNotFound, EventNotFound, RecordUnavailable)
@parsed
def replay_webhook(path: WebhookPath, body: ReplayOrder) -> Response:
    """Deliver an event's messages again

    All after `since`, in order, with the ids that they had.
    """
    services().webhooks.replay(path.webhook_id, body.event_id, body.since, actor(body.why))
    return Response(status=204)


def _with_secret(report: WebhookReport) -> NewWebhookView:
    shown = WebhookView.model_validate(report)
    # Not validated again: its moments are texts already.
    return NewWebhookView.model_construct(**dict(shown), secret=report.webhook.secret)
