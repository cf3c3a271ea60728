"""How a client addressed this server, and whether a page that asks is one of ours."""

from collections.abc import Set
from typing import Final, Literal

from flask import Request

from seating.domain.origin import DEFAULT_PORTS, Authority, Origin
from seating.web.client_address import is_trusted
from seating.web.services import settings

AnyOrigin = Literal["*"]

_HTTP_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def is_from_trusted_proxy(request: Request) -> bool:
    """Whether what the peer says of the client is believed."""
    return is_trusted(request.environ.get("REMOTE_ADDR") or "", settings().proxy_networks)


def client_scheme(request: Request) -> str | None:
    """`http` or `https`, as the client sees it; None if a trusted proxy is in front and does not say."""
    if not is_from_trusted_proxy(request):
        return request.scheme
    return _HTTP_SCHEMES.get(_last(request, "X-Forwarded-Proto").lower())


def client_host(request: Request) -> str:
    """The host that the client asked, with the port if one was named."""
    forwarded = _last(request, "X-Forwarded-Host") if is_from_trusted_proxy(request) else ""
    return forwarded or request.host


def is_own(request: Request, origin: Origin) -> bool:
    """Whether `origin` is the one that the client asked.

    A proxy may drop the port from the host (nginx's `proxy_set_header Host $host` does), and need not name the scheme.
    """
    try:
        host, port = Authority.parse(client_host(request))
    except ValueError:
        return False
    if host != origin.host or client_scheme(request) not in (origin.scheme, None):
        return False
    if port is None and is_from_trusted_proxy(request):
        return True
    return (port or DEFAULT_PORTS[origin.scheme]) == origin.port


def may_connect(request: Request, listed: Set[Origin] | AnyOrigin) -> bool:
    """Whether the page that sent `request`, if it was one, is ours or listed. Browsers never omit the Origin here."""
    text = request.headers.get("Origin")
    if text is None or listed == "*":
        return True
    try:
        origin = Origin.parse(text)
    except ValueError:
        return False
    return origin in listed or is_own(request, origin)


def _last(request: Request, name: str) -> str:
    """The last value in a header that each proxy may append to: what the peer itself says."""
    return request.headers.get(name, "").rpartition(",")[2].strip()
