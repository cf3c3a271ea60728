"""The actor of a request, for the audit log."""

from flask import request

from seating.domain.actor import Actor
from seating.web.callers import caller
from seating.web.client_address import caller_address
from seating.web.services import settings


def actor(why: str | None = None) -> Actor:
    """Return the operator who sent the request, with the reason given."""
    address = caller_address(request, settings().proxy_networks)
    return Actor(caller().name, address, request.environ.get("seating.request_id"), why)
