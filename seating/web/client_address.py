"""Determines a client's address, behind trusted proxies."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import structlog
from flask import Request

from seating.setting_formats import IPNetwork

FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via")
"""Headers in which proxies describe the requests that they forward."""

_ANYBODY = "unknown"
_LONGEST = 100

_log = structlog.get_logger(__name__)


def caller_address(request: Request, proxies: Sequence[IPNetwork]) -> str:
    """Return the client's IPv4 address, or the /64 of its IPv6 address: one subscriber has all of it.

    Each proxy appends its peer to X-Forwarded-For. Read from the end, the first address that is not a trusted proxy is
    the client. Anyone could have written what stands before it, or the whole header if the peer is not trusted.
    """
    return network_of(client_of(request.environ, proxies)) or _ANYBODY


def client_of(environ: Mapping[str, Any], proxies: Sequence[IPNetwork]) -> str:
    """Return the client's address as it was sent, which may be none at all."""
    peer: str = environ.get("REMOTE_ADDR") or ""
    if "HTTP_X_FORWARDED_FOR" not in environ:
        return peer
    if is_trusted(peer, tuple(proxies)):
        return _first_stranger(environ["HTTP_X_FORWARDED_FOR"], peer, tuple(proxies))
    _warn_of_strangers()
    return peer


@lru_cache(maxsize=4096)
def is_trusted(peer: str, proxies: tuple[IPNetwork, ...]) -> bool:
    """Return whether the peer's forwarding headers are trusted."""
    address = address_of(peer)
    return address is not None and any(address in network for network in proxies)


@lru_cache(maxsize=4096)
def network_of(text: str) -> str | None:
    """Return the address as counted by limits; None if invalid."""
    address = address_of(text)
    if address is None:
        return None
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address; None if invalid. Some proxies append a port. The length limit excludes endless zone ids."""
    if len(text) > _LONGEST:
        return None
    host = text.removeprefix("[").partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    # A listener for IPv6 that also takes IPv4 sees those clients' addresses mapped.
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _first_stranger(forwarded: str, peer: str, proxies: tuple[IPNetwork, ...]) -> str:
    client = peer
    for hop in reversed(forwarded.split(",")):
        if address_of(hop.strip()) is None:
            return client  # Not an address: nothing before it can be trusted either.
        client = hop.strip()
        if not is_trusted(client, proxies):
            return client
    return client


@cache
def _warn_of_strangers() -> None:
    """Warn once: this is an undeclared proxy, or a client that forges the header."""
    _log.warning("X-Forwarded-For ignored", reason="its sender is not in TRUSTED_PROXIES")
