"""Which IP addresses are on the public internet. Ours may ask for no others on a stranger's behalf."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

IPAddress = IPv4Address | IPv6Address

# All of IPv6 outside 2000::/3 is reserved, local, multicast or a translation of something else.
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")


def literal(host: str) -> IPAddress | None:
    """Return the address if `host` is one, in its usual form; else None."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_public(address: IPAddress) -> bool:
    """Return whether anyone on the internet can reach the address.

    An IPv6 address that stands for an IPv4 address (mapped, 6to4, NAT64) is as public as that one.
    """
    if isinstance(address, IPv6Address):
        inner = _ipv4_in(address)
        if inner is not None:
            return is_public(inner)
        # An address with a zone (RFC 4007) depends on an interface of this machine.
        if address not in _GLOBAL_UNICAST or address.scope_id:
            return False
    # To Python, most multicast addresses are global.
    return address.is_global and not address.is_multicast and not address.is_reserved


def _ipv4_in(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
