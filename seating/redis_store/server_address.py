"""Finds Redis: the server in a URL, the current primary according to Sentinel, or the servers of a cluster."""

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from redis import connection, sentinel
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.exceptions import AskError, MasterDownError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from seating.setting_formats import CLUSTER_URL, SENTINEL_URL

# redis-py's own retries send again what may have run.
NO_RETRY: Final = Retry(NoBackoff(), 0)
# RESP2, in which pairs are flat lists, as the code reads them: RESP3 has maps.
BOUNDS: Final[dict[str, Any]] = {"protocol": 2, "retry": NO_RETRY, "socket_connect_timeout": 2.0}
"""Options of every connection to Redis."""

# redis-py declares these without types.
_parse_url: Callable[[str], dict[str, Any]] = connection.parse_url
_Sentinel: Any = sentinel.Sentinel

_REDIS_PORT = 6379
_SENTINEL_PORT = 26379
_SENTINEL_ANSWERS_WITHIN_S = 1.0
_HOST = re.compile(r"(?P<host>\[[^\]]+\]|[^:]+)(?::(?P<port>\d+))?")


def fails_over(url: str) -> bool:
    """Return whether Sentinel or a cluster promotes replicas automatically."""
    return SENTINEL_URL.fullmatch(url) is not None or is_cluster(url)


def is_cluster(url: str) -> bool:
    return CLUSTER_URL.fullmatch(url) is not None


def cluster_hosts(url: str) -> list[tuple[str, int]]:
    """Return the servers that the URL of a cluster names."""
    found = CLUSTER_URL.fullmatch(url)
    return _hosts(found["hosts"], _REDIS_PORT) if found else []


def server_in_cluster(url: str, host: str, port: int) -> str:
    """Return the URL of one server of the cluster at `url`, with the same user and options."""
    found = CLUSTER_URL.fullmatch(url)
    assert found
    bracketed = f"[{host}]" if ":" in host else host
    return f"{found['scheme']}+cluster://{found['user'] or ''}{bracketed}:{port}{found['options'] or ''}"


def connection_options(url: str) -> dict[str, Any]:
    """Return the `connection_class` that leads to the primary of `url`, with its arguments.

    Of a cluster, it leads to the first server that `url` names.
    """
    if is_cluster(url):
        host, port = cluster_hosts(url)[0]
        url = server_in_cluster(url, host, port).replace("+cluster", "", 1)
    found = SENTINEL_URL.fullmatch(url)
    if found is None:
        options = _parse_url(url)
        return {"connection_class": Connection} | options
    options = _parse_url(
        f"{found['scheme']}://{found['user'] or ''}sentinel/{found['database'] or '0'}{found['options'] or ''}"
    )
    secure = options.pop("connection_class", Connection) is SSLConnection
    for_sentinel = {
        "ssl": secure,
        "username": options.pop("sentinel_username", None),
        "password": options.pop("sentinel_password", None),
        **{name: value for name, value in options.items() if name.startswith("ssl_")},
    }
    # The URL names sentinels; the primary's address comes from them, on every connect.
    del options["host"]
    sentinels = Sentinels(_hosts(found["hosts"], _SENTINEL_PORT), unquote(found["service"]), for_sentinel)
    kind = _SentinelSSLConnection if secure else _SentinelConnection
    return options | {"connection_class": kind, "sentinels": sentinels}


def _hosts(text: str, port: int) -> list[tuple[str, int]]:
    parts = [_HOST.fullmatch(part) for part in text.split(",")]
    return [(part["host"].strip("[]"), int(part["port"] or port)) for part in parts if part]


class Sentinels:
    """The sentinels that monitor `service`."""

    def __init__(self, hosts: list[tuple[str, int]], service: str, options: dict[str, Any]) -> None:
        bounds = {
            "retry": NO_RETRY,
            "socket_timeout": _SENTINEL_ANSWERS_WITHIN_S,
            "socket_connect_timeout": _SENTINEL_ANSWERS_WITHIN_S,
        }
        self.hosts: Final = hosts
        self.options: Final = options
        self._service = service
        self._sentinel = _Sentinel(hosts, sentinel_kwargs=options | bounds)

    def primary(self) -> tuple[str, int]:
        """Return the address of the primary. Raises redis.ConnectionError if no sentinel knows it."""
        host, port = self._sentinel.discover_master(self._service)
        return host, port


class _SentinelConnection(Connection):
    """Asks Sentinel for the primary on every connect."""

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        self._sentinels = sentinels
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        self.host, self.port = self._sentinels.primary()
        return super()._connect()  # type: ignore[no-untyped-call]


class _SentinelSSLConnection(_SentinelConnection, SSLConnection):
    """The same over TLS."""


def left_behind(error: ResponseError) -> bool:
    """Return whether the error means that the server is no longer the primary, or has lost its replicas."""
    # Without replicas too: Sentinel may have promoted one, and demotes this server only seconds later.
    return isinstance(error, (ReadOnlyError, MasterDownError)) or str(error).startswith(("UNBLOCKED", "NOREPLICAS"))


class _PrimaryOnly:
    """Turns the reply of a server that is no longer the one to ask into a lost connection, so that its user reconnects.

    It is no longer the primary, or no longer has the key's slot.
    """

    def read_response(self: Any, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]  # of the connection beside
        except ResponseError as error:
            if left_behind(error) or isinstance(error, AskError):  # MovedError is one, too.
                self.disconnect()
                raise RedisConnectionError(str(error)) from error
            raise


def primary_only(connection_class: type[Any]) -> type[Any]:
    """Return a connection class that disconnects when its server is no longer the primary."""
    return type(connection_class.__name__, (_PrimaryOnly, connection_class), {})
