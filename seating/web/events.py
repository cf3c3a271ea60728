"""Events: what is on sale, and putting something on sale."""

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from seating.domain.seating_plan import SeatingPlan
from seating.services.events import EventOnSale
from seating.web.answers import render
from seating.web.operator_token import SECURITY, operators_only
from seating.web.parsing import parsed
from seating.web.plan_schemas import NewEvent
from seating.web.schemas import (
    DefaultEventView,
    EventListView,
    EventPath,
    EventView,
    PageQuery,
    StateChange,
    problems,
)
from seating.web.services import services, settings

api = APIBlueprint("events", __name__, abp_tags=[Tag(name="Events", description=__doc__)])


@api.get("/api/v1/event", responses={200: DefaultEventView, **problems(404, 503)})
def get_default_event() -> Response:
    """What is left of the default event

    Never stale: read from the inventory at this moment.
    """
    counts = services().events.counts(settings().default_event)
    return render(
        DefaultEventView(
            total_seats=counts.capacity,
            seats_sold=counts.sold,
            seats_remaining=counts.remaining,
            seats_held=counts.held,
            seats_blocked=counts.blocked,
        )
    )


@api.get("/api/v1/events", responses={200: EventListView, **problems(400, 503)})
@parsed
def list_events(query: PageQuery) -> Response:
    """All events, paged"""
    page = services().events.page(query.cursor, query.limit)
    return render(EventListView(events=[_view(found) for found in page.events], next=page.next_cursor))


@api.post("/api/v1/events", responses={201: EventView, **problems(400, 401, 408, 413, 415, 503)}, security=SECURITY)
@operators_only
@parsed
def create_event(body: NewEvent) -> Response:
    """Put an event on sale

    `totalSeats` for general admission, or `seatingPlan`. What is wrong with a plan is said with its path in the file.
    """
    plan: SeatingPlan | None = services().offload(body.plan)
    capacity = plan.capacity if plan else body.total_seats or 0
    return render(_view(services().events.create(body.name, capacity, plan)), 201)


@api.get("/api/v1/events/<event_id>", responses={200: EventView, **problems(404, 503)})
@parsed
def get_event(path: EventPath) -> Response:
    """One event"""
    return render(_view(services().events.get(path.event_id)))


@api.patch(
    "/api/v1/events/<event_id>",
    responses={200: EventView, **problems(400, 401, 404, 408, 409, 413, 415, 503)},
    security=SECURITY,
)
@operators_only
@parsed
def set_event_state(path: EventPath, body: StateChange) -> Response:
    """Pause a sale, resume it, or close it for good

    New purchases are refused with NOT_ON_SALE; repetitions of accepted ones are still answered. A day after an event
    was closed it leaves the inventory, and its idempotency keys with it.
    """
    return render(_view(services().events.set_state(path.event_id, body.state)))


def _view(found: EventOnSale) -> EventView:
    event, counts = found
    return EventView(
        id=event.id,
        name=event.name,
        total_seats=event.capacity,
        seats_sold=counts.sold if counts else None,
        seats_remaining=counts.remaining if counts else None,
        seated=event.seated,
        state=counts.state if counts else "unavailable",
    )
