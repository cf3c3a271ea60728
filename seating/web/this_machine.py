"""Decides whether a request comes from a person at this machine: in development, operators need no key.

Any page can make that person's browser send requests here, even under a name of its own that resolves to this address
(DNS rebinding). And a proxy on this machine forwards requests from everywhere.
"""

from typing import Final

from flask import Request

from seating.domain.origin import Authority
from seating.web.client_address import FORWARDING_HEADERS, address_of
from seating.web.origins import may_connect

_OWN_SITES: Final = ("same-origin", "none")


def refusal(request: Request) -> str:
    """Return why not, as the end of a sentence, or ""."""
    environ, headers = request.environ, request.headers
    peer = address_of(environ.get("REMOTE_ADDR") or "")
    if peer is None or not peer.is_loopback:
        return "the request came from another machine"
    if environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
        return "the request was made with HTTP/1.0, as proxies do"
    named = [name for name in FORWARDING_HEADERS if name in headers]
    if named:
        return f"the request came through a proxy ({named[0]})"
    if not _is_loopback_name(environ.get("HTTP_HOST", "")):
        return "its Host names another machine"
    if not may_connect(request, frozenset()):
        return "the request was made by a page of another origin"
    # Browsers send no Origin with the GET of an image or a link, but they send this.
    if headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES:
        return "the request was made by a page of another site"
    return ""


def _is_loopback_name(host: str) -> bool:
    """Return whether a Host header, with or without a port, names the loopback interface."""
    try:
        name = Authority.parse(host).host
    except ValueError:
        return False
    address = address_of(name)
    return name == "localhost" or (address is not None and address.is_loopback)
