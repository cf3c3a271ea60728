"""Who acts, for the audit log."""

from flask import request

from seating.domain.actor import Actor
from seating.web.callers import caller
from seating.web.client_address import caller_address
from seating.web.services import settings


def actor(why: str | None = None) -> Actor:
    """The operator whose request this is, and the reason given in it."""
    address = caller_address(request, settings().proxy_networks)
    return Actor(caller().name, address, request.environ.get("seating.request_id"), why)
