"""The events of a partner's service."""

from typing import Final, Literal

from flask import Response
from pydantic import BaseModel, Field, RootModel

from seating.domain import partner_errors
from seating.domain.catalogue import PartnerEvent, PartnerId, PartnerUser, parse_partner_id
from seating.domain.errors import InvalidRequest
from seating.web.application import Routes
from seating.web.callers import Access, open_to
from seating.web.declarations import refuses
from seating.web.parsing import StrictModel, parsed
from seating.web.responses import render
from seating.web.schemas import Answer, Line, example, examples
from seating.web.services import services

api = Routes("catalogue", __name__, "Catalogue", __doc__)

_OF_PARTNER: Final = (
    partner_errors.CatalogueBusy,
    partner_errors.PartnerAnswerInvalid,
    partner_errors.PartnerFailed,
    partner_errors.PartnerNotConfigured,
    partner_errors.PartnerThrottled,
    partner_errors.PartnerTooSlow,
    partner_errors.PartnerUnavailable,
)


class PartnerUserPath(BaseModel):
    user_id: str = Field(description="the user's id at the event partner", json_schema_extra=example("1"))


class NewPartnerEvent(StrictModel):
    """An event to add at the partner."""

    model_config = examples({"name": "Opening night", "userId": "1"})

    name: Line = Field(min_length=1, max_length=200)
    user_id: PartnerId = Field(alias="userId")


class PartnerEventAdded(Answer):
    success: Literal[True] = True


class PartnerUserList(RootModel[list[PartnerUser]]):
    """As the partner has them."""

    model_config = examples([{"id": "1", "name": "Alice", "events": ["1", "2"]}])


class PartnerEventList(RootModel[list[PartnerEvent]]):
    """As the partner has them."""

    model_config = examples([{"id": "1", "name": "Opening night"}])


@api.get("/getUsers", responses={200: PartnerUserList})
@open_to(Access.ANYBODY)
@refuses(*_OF_PARTNER)
def list_partner_users() -> Response:
    """List the partner's users"""
    return render(PartnerUserList(services().catalogue.users()))


@api.get("/getEvents", responses={200: PartnerEventList})
@open_to(Access.ANYBODY)
@refuses(*_OF_PARTNER)
def list_partner_events() -> Response:
    """List the partner's events"""
    return render(PartnerEventList(services().catalogue.events()))


@api.get("/getEventsByUserId/<user_id>", responses={200: PartnerEventList})
@open_to(Access.ANYBODY)
@refuses(*_OF_PARTNER, partner_errors.PartnerUserNotFound, InvalidRequest)
@parsed
def list_partner_events_of_user(path: PartnerUserPath) -> Response:
    """List all events of one of the partner's users

    The response is complete or an error, never a partial list.
    """
    return render(PartnerEventList(services().catalogue.events_of(parse_partner_id(path.user_id))))


@api.post("/addEvent", responses={200: PartnerEventAdded})
@open_to(Access.ANYBODY)
@refuses(*_OF_PARTNER, partner_errors.PartnerOverloaded)
@parsed
def add_partner_event(body: NewPartnerEvent) -> Response:
    """Add an event at the partner

    The partner's refusal is passed on as 503. After too many failures nothing is sent until `retryAfter` seconds have
    passed. After 502 or 504 it is unknown whether the event was added.
    """
    services().catalogue.add_event(body.name, body.user_id)
    return render(PartnerEventAdded())
