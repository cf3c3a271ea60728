"""Events: what is on sale, and putting something on sale."""

from functools import partial
from typing import Literal

from flask import Response
from pydantic import BaseModel, Field

from seating.domain import errors
from seating.domain.event import EventCursor, EventFilter
from seating.domain.idempotency import short_hash
from seating.storage.events import CreationKey
from seating.web.application import Routes
from seating.web.callers import Access, actor, caller, idempotency_key, open_to
from seating.web.declarations import OF_INVENTORY, refuses, sends
from seating.web.drafts import refuse_hidden_draft, sees_drafts
from seating.web.event_bodies import EventChange, NewEvent
from seating.web.event_views import CreatedEventView, DefaultEventView, EventListView, EventView, view
from seating.web.parsing import parsed
from seating.web.responses import render, render_fields
from seating.web.schemas import (
    IDEMPOTENCY_KEY,
    EventPath,
    GivenMoment,
    Line,
    PageQuery,
)
from seating.web.services import default_event, services

api = Routes("events", __name__, "Events", __doc__)


class EventPageQuery(PageQuery):
    cursor: str = Field(
        "",
        pattern=r"^([0-9]{0,15}\.[a-z0-9][a-z0-9-]{0,63})?$",
        description="`next` of the previous page",
    )
    from_: GivenMoment | None = Field(None, alias="from", description="only events that start at this time or later")
    to: GivenMoment | None = Field(None, description="only events that start before this time")
    state: Literal["draft", "on_sale", "paused", "closed"] | None = Field(
        None, description="only events in this state, as recorded in SQL"
    )
    venue: Line | None = Field(None, max_length=200, description="only events at this venue")


class EventHeaders(BaseModel):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        description="1 to 255 visible ASCII characters, best a UUID: repeating it creates no second event",
        json_schema_extra=IDEMPOTENCY_KEY,
    )


@api.get("/api/v1/event", responses={200: DefaultEventView})
@open_to(Access.ANYBODY)
@refuses(*OF_INVENTORY)
def get_default_event() -> Response:
    """Get the default event's counts

    Never stale: read from the inventory for each request.
    """
    event_id = default_event()
    refuse_hidden_draft(event_id)
    counts = services().events.counts(event_id)
    return render_fields(
        {
            "totalSeats": counts.capacity,
            "seatsSold": counts.sold,
            "seatsRemaining": counts.remaining,
            "seatsHeld": counts.held,
            "seatsBlocked": counts.blocked,
        }
    )


@api.get("/api/v1/events", responses={200: EventListView})
@open_to(Access.ANYBODY)
@refuses(errors.RecordUnavailable, errors.InventoryUnavailable)
@parsed
def list_events(query: EventPageQuery) -> Response:
    """List events

    Ordered by date, events without a date last; `from` and `to` leave these out. Only operators and readers see drafts.
    """
    wanted = EventFilter(query.from_, query.to, query.state, query.venue, sees_drafts())
    page = services().events.page(EventCursor.parse(query.cursor) if query.cursor else None, query.limit, wanted)
    return render(EventListView(events=[view(found) for found in page.items], next=page.next))


@api.post("/api/v1/events", responses={201: CreatedEventView})
@open_to(Access.OPERATORS)
@refuses(
    errors.RecordUnavailable,
    errors.InventoryUnavailable,
    errors.BacklogFull,
    errors.IdempotencyKeyReused,
    errors.InvalidIdempotencyKey,
    errors.MissingIdempotencyKey,
)
@sends("Idempotent-Replayed")
@parsed
def create_event(header: EventHeaders, body: NewEvent) -> Response:
    """Put an event on sale, or keep it a draft

    `totalSeats` for general admission, or `seatingPlan`. `errors` lists every fault of the file, with path, value and
    suggestion, up to 100. With an `Idempotency-Key`, a repeated request returns the event that the first one created,
    as it is now.
    """
    key = None if header.idempotency_key is None else _creation_key(header.idempotency_key, body)
    plan, offer = services().offload(body.hall)
    create = partial(
        services().event_creation.create,
        *(body.name, body.capacity(plan, offer), plan, actor(body.why), offer),
        state=body.state,
        details=body.details(),
        key=key,
    )
    created, replayed = services().event_creation.once(key, create) if key else (create(), False)
    notes = list(plan.notes) if plan else []
    # Not validated again: its moments are texts already.
    response = render(CreatedEventView.model_construct(**dict(view(created)), plan_notes=notes), 201)
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _creation_key(header: str, body: NewEvent) -> CreationKey:
    """Of a large plan this takes as long as reading it."""
    key = idempotency_key(header)
    asked = services().offload(lambda: body.model_dump_json(by_alias=True, exclude_defaults=True))
    return CreationKey(short_hash(caller().name, key), short_hash(asked))


@api.get("/api/v1/events/<event_id>", responses={200: EventView})
@open_to(Access.ANYBODY)
@refuses(errors.EventNotFound, errors.RecordUnavailable, errors.InventoryUnavailable)
@parsed
def get_event(path: EventPath) -> Response:
    """Get an event"""
    found = services().events.get(path.event_id)
    if found.is_draft and not sees_drafts():
        raise errors.EventNotFound
    return render(view(found))


@api.patch("/api/v1/events/<event_id>", responses={200: EventView})
@open_to(Access.OPERATORS)
@refuses(*OF_INVENTORY, errors.RecordUnavailable, errors.BacklogFull, errors.RolloutInProgress, errors.SaleRunning)
@parsed
def change_event(path: EventPath, body: EventChange) -> Response:
    """Put a draft on sale, pause a sale, resume it, or close it for good; change its details

    While it is not on sale, new purchases are refused with NOT_ON_SALE; repeated requests for accepted ones still get
    their response. A day after an event was closed it leaves the inventory, and its idempotency keys with it. `name`,
    `startsAt`, `venue` and `metadata` can be changed at any time; `metadata` is replaced as a whole. `onSaleAt`,
    `offSaleAt`, `maxPerPurchase` and `maxPerBuyer` can be changed until it is closed, categories and prices only while
    it is a draft or paused; what was sold before keeps its price.
    """
    details, changes_offer, by = body.details(), body.changes_offer(), actor(body.why)
    if changes_offer:
        services().events.set_offer(path.event_id, body.amend, by, by_category=body.changes_terms())
    if body.state:
        services().events.set_state(path.event_id, body.state, by)
    if details:  # Last, because no state of the event refuses them.
        is_changed = changes_offer or body.state is not None
        services().events.describe(path.event_id, details, by, after_change=is_changed)
    return render(view(services().events.get_changed(path.event_id)))
