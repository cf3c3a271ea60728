"""How a client addressed this server, and whether a requesting page is ours."""

from collections.abc import Set
from typing import Final, Literal

from flask import Request

from seating.domain.origin import DEFAULT_PORTS, Authority, Origin
from seating.web.client_address import is_trusted
from seating.web.services import settings

AnyOrigin = Literal["*"]

_HTTP_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def is_from_trusted_proxy(request: Request) -> bool:
    """Return whether to trust the peer's headers about the client."""
    return is_trusted(request.environ.get("REMOTE_ADDR") or "", settings().proxy_networks)


def client_scheme(request: Request) -> str | None:
    """Return `http` or `https` as the client sees it; None if a trusted proxy does not say."""
    if not is_from_trusted_proxy(request):
        return request.scheme
    return _HTTP_SCHEMES.get(_last(request, "X-Forwarded-Proto").lower())


def client_host(request: Request) -> str:
    """Return the host that the client addressed, with the port if it named one."""
    forwarded = _last(request, "X-Forwarded-Host") if is_from_trusted_proxy(request) else ""
    return forwarded or request.host


def is_own(request: Request, origin: Origin) -> bool:
    """Return whether `origin` is the one that the client addressed.

    A proxy may drop the port from the host (nginx's `proxy_set_header Host $host` does), and may not send the scheme.
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
    """Return whether the request came from no page, ours, or a listed one. Browsers never omit the Origin here."""
    text = request.headers.get("Origin")
    if text is None or listed == "*":
        return True
    try:
        origin = Origin.parse(text)
    except ValueError:
        return False
    return origin in listed or is_own(request, origin)


def _last(request: Request, name: str) -> str:
    """Return the last value of a header that proxies append to: the peer's own."""
    return request.headers.get(name, "").rpartition(",")[2].strip()
