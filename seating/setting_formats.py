"""What the values of settings may look like. Each raises ValueError, which says how the value must be."""

import re
from inspect import signature
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, PlainValidator, SecretStr
from pydantic_settings import NoDecode

from seating.domain import rate_policy
from seating.domain.event import is_event_id
from seating.domain.origin import Origin

IPNetwork = IPv4Network | IPv6Network

_ADDRESS: Final = re.compile(r"(?:\[(?P<ip6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:,/@?#\[\]]+)):(?P<port>\d{1,5})")
"""`host:port`, an IPv6 address in brackets."""

_HOST: Final = r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:,/@?#\[\]]+)(?::\d{1,5})?"
SENTINEL_URL: Final = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://(?P<user>[^\s/@?#]*@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)/(?P<service>[^\s/?#]+)(?:/(?P<database>\d+))?(?P<options>\?[^\s#]*)?"
)
"""`redis+sentinel://user:password@host:port,host:port/service/database?options`; `rediss+sentinel` over TLS."""

CLUSTER_URL: Final = re.compile(
    r"(?P<scheme>rediss?)\+cluster://(?P<user>[^\s/@?#]*@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)(?:/0?)?(?P<options>\?[^\s#]*)?"
)
"""`redis+cluster://user:password@host:port,host:port?options`; `rediss+cluster` over TLS. The only database is 0."""

_TOKEN: Final = re.compile(r"[\x21-\x7e]{32,}")


def address(text: str) -> tuple[str, int] | None:
    """Host and port of `host:port`; None if it is not of that form."""
    found = _ADDRESS.fullmatch(text)
    if found is None or not 1 <= int(found["port"]) <= 65535:
        return None
    return found["ip6"] or found["host"], int(found["port"])


def networks(text: str) -> tuple[IPNetwork, ...]:
    """Parse comma-separated networks."""
    return tuple(map(ip_network, _words(text)))


def _origins(text: str | None) -> frozenset[Origin] | None:
    """Parse comma-separated origins; None if there is none."""
    try:
        return frozenset(map(Origin.parse, _words(text or ""))) or None
    except ValueError:
        raise ValueError("must be origins such as https://shop.example, separated by commas") from None


def _origins_or_any(text: str | None) -> frozenset[Origin] | Literal["*"] | None:
    return "*" if text is not None and text.strip() == "*" else _origins(text)


def _redis_url(url: str) -> str:
    scheme = url.partition("://")[0]
    options = {"username", "password", "client_name"}
    if scheme in ("redis+sentinel", "rediss+sentinel"):
        if SENTINEL_URL.fullmatch(url) is None:
            raise ValueError("must be of the form redis+sentinel://user:password@host:port,host:port/service")
        options |= {"db", "sentinel_username", "sentinel_password"}
    elif scheme in ("redis+cluster", "rediss+cluster"):
        if CLUSTER_URL.fullmatch(url) is None:
            raise ValueError("must be of the form redis+cluster://user:password@host:port,host:port")
    elif scheme in ("redis", "rediss", "unix"):
        _with_port_as_number(url)
        options |= {"db"}
    else:
        raise ValueError(
            "must start with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or "
            "rediss+cluster://"
        )
    if query := url.partition("?")[2].partition("#")[0]:
        _check_redis_options(query, options, secure=scheme.startswith("rediss"))
    return url


def _check_redis_options(query: str, known: set[str], *, secure: bool) -> None:
    """Raises ValueError unless the options are `known`, or TLS's where it is used.

    redis-py has more, which would break our use of it: another protocol, other waits, requests sent again.
    """
    from redis.connection import SSLConnection, parse_url  # Not every command needs Redis.

    tls = {name for name in signature(SSLConnection).parameters if name.startswith("ssl_")}
    for name in parse_url(f"redis://?{query}"):  # type: ignore[no-untyped-call]
        if name not in known | (tls if secure else set()):
            raise ValueError(
                f"has no option {name[:64]!r}; its options are {', '.join(sorted(known))} and, with rediss, those of "
                "TLS, such as ssl_ca_certs"
            )


def _database_url(url: str) -> str:
    """Use psycopg 3 for every usual spelling of a Postgres URL."""
    return url if url.startswith("sqlite:///") else _postgres_url(url, "sqlite:/// or postgresql://")


def _postgres_url(url: str, starts: str = "postgresql://") -> str:
    for scheme in ("postgresql+psycopg://", "postgresql://", "postgres://"):
        if url.startswith(scheme):
            rest = _with_port_as_number(url).removeprefix(scheme)
            _check_options(parse_qsl(urlsplit(url).query))
            return f"postgresql+psycopg://{rest}"
    raise ValueError(f"must start with {starts}")


def _check_options(given: list[tuple[str, str]]) -> None:
    """Raises ValueError unless libpq knows these options. The driver has more, which would break our use of it."""
    from psycopg.pq import Conninfo  # Nobody else needs the driver.

    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    for name, _ in given:
        if name not in known:
            raise ValueError(f"has no option {name[:64]!r}; its options are libpq's, such as sslmode")


def _rate_policy(policy: str) -> str:
    rate_policy.parse(policy)
    return policy


def _token(token: SecretStr) -> SecretStr:
    if _TOKEN.fullmatch(token.get_secret_value()) is None:
        raise ValueError("must have at least 32 visible ASCII characters, such as `openssl rand -hex 32` prints")
    return token


def _networks(text: str) -> str:
    for network in _words(text):
        try:
            ip_network(network)
        except ValueError:
            raise ValueError(
                f"must be networks such as 127.0.0.1/32,10.0.0.0/8, no longer a number; {network[:64]!r} is none"
            ) from None
    return text


def _event_id(event_id: str) -> str:
    if not is_event_id(event_id):
        raise ValueError("must be 1 to 64 lower-case letters, digits and hyphens")
    return event_id


def _host_and_port(text: str) -> str:
    if address(text) is None:
        raise ValueError("must be of the form host:port or [host]:port, with a port from 1 to 65535")
    return text


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must start with http:// or https://, followed by a host")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be an address alone, without user, query or fragment")
    from urllib3.util import parse_url  # Who connects there reads it like this; not every command does.

    try:
        parse_url(url)
    except ValueError:
        raise ValueError("its host or port is impossible") from None
    return url


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _with_port_as_number(url: str) -> str:
    try:
        urlsplit(url).port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise ValueError("its port must be a number from 0 to 65535") from None
    return url


RedisUrl = Annotated[str, AfterValidator(_redis_url)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
PostgresUrl = Annotated[str, AfterValidator(_postgres_url)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
HostAndPort = Annotated[str, AfterValidator(_host_and_port)]
Networks = Annotated[str, AfterValidator(_networks)]
# Without NoDecode, pydantic-settings would take the text of a set for JSON.
Origins = Annotated[frozenset[Origin] | None, NoDecode, PlainValidator(_origins)]
OriginsOrAny = Annotated[frozenset[Origin] | Literal["*"] | None, NoDecode, PlainValidator(_origins_or_any)]
Token = Annotated[SecretStr, AfterValidator(_token)]
EventId = Annotated[str, AfterValidator(_event_id)]
RatePolicy = Annotated[str, AfterValidator(_rate_policy)]
