"""Whose request this is, as far as addresses tell."""

from collections.abc import Sequence
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import structlog
from flask import Request

from seating.config import IPNetwork

FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via")
"""What proxies say of the requests that they hand on."""

_ANYBODY = "unknown"
_LONGEST = 100

_log = structlog.get_logger(__name__)


def caller_address(request: Request, proxies: Sequence[IPNetwork]) -> str:
    """The client's IPv4 address, or the /64 of its IPv6 address, of which one subscriber has all.

    A proxy appends to X-Forwarded-For whom it heard: read from its end, the first that is no trusted proxy is the
    client. What stands before that, anybody could have written; so could a peer that is no trusted proxy.
    """
    peer: str = request.environ.get("REMOTE_ADDR") or ""
    client = peer
    if "HTTP_X_FORWARDED_FOR" in request.environ:
        if is_trusted(peer, tuple(proxies)):
            client = _first_stranger(request.environ["HTTP_X_FORWARDED_FOR"], peer, tuple(proxies))
        else:
            _warn_of_strangers()
    return network_of(client) or _ANYBODY


@lru_cache(maxsize=4096)
def is_trusted(peer: str, proxies: tuple[IPNetwork, ...]) -> bool:
    """Whether what a peer says of others is believed."""
    address = address_of(peer)
    return address is not None and any(address in network for network in proxies)


@lru_cache(maxsize=4096)
def network_of(text: str) -> str | None:
    """The address as it is counted; None for what is no address."""
    address = address_of(text)
    if address is None:
        return None
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """None for what is no address. Some proxies append a port; a longer text has a zone without an end."""
    if len(text) > _LONGEST:
        return None
    host = text.removeprefix("[").partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _first_stranger(forwarded: str, peer: str, proxies: tuple[IPNetwork, ...]) -> str:
    client = peer
    for hop in reversed(forwarded.split(",")):
        if address_of(hop.strip()) is None:
            return client  # Whoever wrote this, what stands before it is no better.
        client = hop.strip()
        if not is_trusted(client, proxies):
            return client
    return client


@cache
def _warn_of_strangers() -> None:
    """Once: it is a proxy that nobody named, or somebody who tries it."""
    _log.warning("X-Forwarded-For ignored", reason="it did not come from a network of TRUSTED_PROXIES")
