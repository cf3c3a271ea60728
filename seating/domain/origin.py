"""A web page's origin: scheme, host and port (RFC 6454)."""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Final, NamedTuple, Self

import idna

DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}

# A host's name has at most 253 characters (RFC 1035); a port adds six.
_LONGEST: Final = 300
_AUTHORITY: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_ASCII_HOST: Final = re.compile(r"[a-z0-9._-]+")


class Authority(NamedTuple):
    """A host and an optional port. The host is in lower case; international names are in ASCII form."""

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host`, `host:port` or `[IPv6 address]:port`. Raises ValueError."""
        match = _AUTHORITY.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None:
            raise ValueError("not a host with or without a port")
        port = int(match["port"]) if match["port"] else None
        if port is not None and not 0 < port < 1 << 16:
            raise ValueError("a port is a number from 1 to 65535")
        return cls(_canonical(match["host"]), port)


class Origin(NamedTuple):
    """Two origins are the same if their fields are."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `https://host` or `http://host:port`, in any case. Raises ValueError, for `null` too."""
        scheme, separator, authority = text.partition("://")
        scheme = scheme.lower()
        if not separator or scheme not in DEFAULT_PORTS:
            raise ValueError("an origin begins with http:// or https://")
        host, port = Authority.parse(authority)
        return cls(scheme, host, port or DEFAULT_PORTS[scheme])


def _canonical(host: str) -> str:
    if host.startswith("["):
        # Browsers send the shortest form, while a setting may have any.
        return f"[{IPv6Address(host[1:-1])}]"
    # Browsers map names by UTS 46 before they encode them.
    ascii_host = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode()
    if not _ASCII_HOST.fullmatch(ascii_host):
        raise ValueError("not the name of a host")
    return ascii_host
