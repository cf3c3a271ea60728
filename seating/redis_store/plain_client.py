"""redis-py's client for what does not go through `Calls`: RQ's queue, and whole events in one transaction."""

from typing import Any

import redis
from redis.connection import Connection, SSLConnection

from seating.config import InvalidSettings
from seating.redis_store.server_address import BOUNDS, connection_options, is_cluster, primary_only
from seating.redis_store.slot_map import SlotMap, slot_map, slot_of


def plain_client(url: str, *, reply_within_s: float = 10.0) -> "redis.Redis":
    """Return a client that waits for a free connection at its limit. Of a cluster, it is that of the queue's server.

    It treats a server that is no longer the primary, or no longer has the slot, as a lost connection.
    """
    return (
        _ClusterClient(url, reply_within_s)
        if is_cluster(url)
        else redis.Redis(connection_pool=_pool(url, reply_within_s))
    )


def client_of(client: "redis.Redis", key: str) -> "redis.Redis":
    """Return the client of the server that has this key."""
    return client.of(key) if isinstance(client, _ClusterClient) else client


def clients_of_primaries(url: str) -> "list[redis.Redis]":
    """Return a client for each primary: one, unless Redis is a cluster. Raises redis.ConnectionError."""
    servers = slot_map(url).primaries() if is_cluster(url) else [url]
    return [redis.Redis(connection_pool=_pool(server)) for server in servers]


def _pool(url: str, reply_within_s: float = 10.0, **of_class: Any) -> "redis.BlockingConnectionPool":
    bounds = {"max_connections": 16, "timeout": 5, "socket_timeout": reply_within_s, "health_check_interval": 30}
    options = connection_options(url) | BOUNDS | bounds | of_class
    options["connection_class"] = primary_only(options["connection_class"])
    return redis.BlockingConnectionPool(**options)  # type: ignore[no-untyped-call]


def _key_of_queue() -> str:
    """Return a key of RQ's. Raises InvalidSettings if its keys are not all in one slot."""
    # Imported here because RQ takes long, and commands that do without it have other clients.
    from rq.defaults import RQ_KEY_PREFIX

    key = f"{RQ_KEY_PREFIX}:queues"
    if slot_of(key) != slot_of(RQ_KEY_PREFIX):
        raise InvalidSettings("RQ_KEY_PREFIX: with a Redis Cluster it needs a hash tag, such as {rq}")
    return key


class _SlotConnection(Connection):
    """Asks on every connect which server has the slot of `key`."""

    def __init__(self, *, slots: SlotMap, key: str, **options: Any) -> None:
        self._slots = slots
        self._key = key
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        self._slots.refresh()  # It may have moved, which is why the last connection was given up.
        address = connection_options(self._slots.server_of(self._key))
        self.host, self.port = address["host"], address["port"]
        return super()._connect()  # type: ignore[no-untyped-call]


class _SlotSSLConnection(_SlotConnection, SSLConnection):
    """The same over TLS."""


class _ClusterClient(redis.Redis):
    """RQ's keys are all in one slot, so its client follows that slot. `of` gives the clients of other keys."""

    def __init__(self, url: str, reply_within_s: float) -> None:
        self._slots = slot_map(url)
        self._reply_within_s = reply_within_s
        self._by_server: dict[str, redis.Redis] = {}
        secure = issubclass(connection_options(url)["connection_class"], SSLConnection)
        kind = _SlotSSLConnection if secure else _SlotConnection
        pool = _pool(url, reply_within_s, connection_class=kind, slots=self._slots, key=_key_of_queue())
        super().__init__(connection_pool=pool)

    def of(self, key: str) -> "redis.Redis":
        """Return the client of the server that has this key now."""
        self._slots.refresh()
        server = self._slots.server_of(key)
        if server not in self._by_server:
            self._by_server[server] = redis.Redis(connection_pool=_pool(server, self._reply_within_s))
        return self._by_server[server]
