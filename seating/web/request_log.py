"""The line that every request leaves in the log."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, ip_network
from typing import TYPE_CHECKING, Final

import structlog
from flask.globals import request_ctx

from seating.config import Settings
from seating.domain.event import is_event_id
from seating.web.client_address import address_of, client_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_NOTED: Final = "seating.noted"
_IPV4_NETWORK: Final = 24
_IPV6_NETWORK: Final = 48

_log = structlog.get_logger(__name__)


def note(**facts: object) -> None:
    """Add `facts` to the line of the current request. They must be neither secret nor personal."""
    request_ctx.request.environ.setdefault(_NOTED, {}).update(facts)


def facts_of(environ: "WSGIEnvironment") -> dict[str, object]:
    """Return the request's event, if its path names one, and what was noted."""
    arguments = getattr(environ.get("werkzeug.request"), "view_args", None)
    noted: dict[str, object] = environ.get(_NOTED) or {}
    event_id = arguments and arguments.get("event_id")
    # Strangers may write anything into a path, and the log is to have ids only.
    return {"event_id": event_id, **noted} if event_id and is_event_id(event_id) else noted


class RequestLog:
    """Writes the lines, whose fields docs/logs.md lists. Fields of which nothing is known are left out."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def write(
        self,
        environ: "WSGIEnvironment",
        route: str,
        status: int,
        seconds: float,
        trace_id: str,
        facts: Mapping[str, object],
    ) -> None:
        context = {"trace_id": trace_id} if trace_id else {}
        _log.info(
            "request",
            request_id=environ["seating.request_id"],
            method=environ["REQUEST_METHOD"],
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            **shown_client(environ, self._settings),
            **context,
            **facts,
        )


def shown_client(environ: "WSGIEnvironment", settings: Settings) -> dict[str, str]:
    """Return the field of the client's address, if it is to be logged and known."""
    if settings.log_addresses == "none":
        return {}
    address = shown_address(client_of(environ, settings.proxy_networks), settings.log_addresses)
    return {"address": address} if address else {}


@lru_cache(maxsize=4096)
def shown_address(text: str, addresses: str) -> str | None:
    """Return an address as `LOG_ADDRESSES` wants it: `full`, or its `network`, a /24 or /48; None if it is invalid."""
    address = address_of(text)
    if address is None:
        return None
    if addresses == "full":
        return str(address)
    bits = _IPV4_NETWORK if isinstance(address, IPv4Address) else _IPV6_NETWORK
    return str(ip_network((address, bits), strict=False))
