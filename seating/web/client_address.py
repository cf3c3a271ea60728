"""Whose request this is, as far as addresses tell."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address

from flask import Request

_ANYBODY = "unknown"


def caller_address(request: Request, trusted_proxies: int) -> str:
    """The client's IPv4 address, or the /64 of its IPv6 address, of which one subscriber has all.

    Each trusted proxy has appended to X-Forwarded-For whom it heard: what stands before their entries, anybody could
    have written. Without trusted proxies the header is not looked at.
    """
    peer: str = request.environ.get("REMOTE_ADDR") or ""
    if trusted_proxies:
        hops = [hop.strip() for value in request.headers.getlist("X-Forwarded-For") for hop in value.split(",")]
        said = network_of(hops[-trusted_proxies:][0]) if hops else None
        if said:
            return said
    return network_of(peer) or _ANYBODY


@lru_cache(maxsize=4096)
def network_of(text: str) -> str | None:
    """The address as it is counted; None for what is no address. Some proxies append a port."""
    host = text.removeprefix("[").partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))
