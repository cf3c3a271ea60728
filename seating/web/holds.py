"""Holding seats while a buyer decides or pays."""

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag

from seating.domain.idempotency import parse_key
from seating.services.holds import Held
from seating.web.answers import render, rfc3339
from seating.web.client_address import caller_address
from seating.web.operator_token import ANONYMOUS, caller
from seating.web.parsing import parsed
from seating.web.schemas import EventPath, problems
from seating.web.seat_schemas import HoldAnswer, HoldHeaders, HoldPath, NewHold
from seating.web.services import services, settings

api = APIBlueprint("holds", __name__, abp_tags=[Tag(name="Holds", description=__doc__)])


@api.post(
    "/api/v1/events/<event_id>/holds",
    responses={201: HoldAnswer, **problems(400, 404, 408, 409, 413, 415, 422, 503)},
)
@parsed
def hold(path: EventPath, header: HoldHeaders, body: NewHold) -> Response:
    """Hold seats for a while

    Those given, or the best for a quantity. Whoever has the token may extend the hold, give it back or buy its seats.
    """
    key = None if header.idempotency_key is None else parse_key(header.idempotency_key)
    who = caller()
    holder = f"address {caller_address(request, settings().trusted_proxies)}" if who == ANONYMOUS else who
    held = services().holds.hold(path.event_id, who, holder, key, body.order())
    response = _answer(held, 201)
    if held.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@api.patch("/api/v1/events/<event_id>/holds/<token>", responses={200: HoldAnswer, **problems(404, 409, 503)})
@parsed
def extend_hold(path: HoldPath) -> Response:
    """Hold the same seats for longer

    For as long again from now on, up to a longest time altogether; `expiresAt` says until when.
    """
    return _answer(services().holds.extend(path.event_id, path.token), 200)


@api.delete("/api/v1/events/<event_id>/holds/<token>", responses={204: None, **problems(404, 409, 503)})
@parsed
def give_back_hold(path: HoldPath) -> Response:
    """Give the seats of a hold back"""
    services().holds.give_back(path.event_id, path.token)
    return Response(status=204)


def _answer(held: Held, status: int) -> Response:
    return render(
        HoldAnswer(
            hold_token=held.token,
            quantity=held.record.quantity,
            seats=held.seats,
            expires_at=rfc3339(held.record.until_ms),
            position=str(held.record.position),
        ),
        status,
    )
