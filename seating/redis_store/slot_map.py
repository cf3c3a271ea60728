"""Which primary of a Redis Cluster serves a key. redis-py's cluster client finds out, and sends nothing else."""

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import structlog
from redis import crc
from redis.cluster import PRIMARY, ClusterNode, RedisCluster
from redis.connection import SSLConnection
from redis.exceptions import AskError, RedisClusterException, RedisError, SlotNotCoveredError
from redis.exceptions import ConnectionError as RedisConnectionError

from seating.redis_store.calls import Argument
from seating.redis_store.server_address import cluster_hosts, connection_options, server_in_cluster

REFRESHED_EVERY_S: Final = 30.0
_AT_MOST_EVERY_S: Final = 0.5
_ANSWERS_WITHIN_S: Final = 1.0

# redis-py declares these without types.
_key_slot: Callable[[bytes], int] = crc.key_slot
_Cluster: Any = RedisCluster
_Node: Any = ClusterNode
# IndexError: it does not expect a cluster whose servers have no slots.
_FAILURES: Final = (RedisClusterException, RedisError, OSError, IndexError)

_log = structlog.get_logger(__name__)


class SlotMap:
    """Shared by all clients of a process. Servers are URLs. Refreshed every 30 s, and when a client has reason to.

    Raises redis.ConnectionError if no server of the cluster answers, or none has the slot.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._nodes: Any = None
        self._connecting = threading.Lock()
        self._urls: dict[tuple[str, int], str] = {}
        self._refreshed_at_s = float("-inf")
        self._failure = ""

    def server_of(self, key: Argument) -> str:
        """Return the primary of the key's slot."""
        try:
            node = self._known().get_node_from_slot(slot_of(key))
        except SlotNotCoveredError as error:
            raise RedisConnectionError(str(error)) from error
        return self.url(node.host, node.port)

    def primaries(self) -> list[str]:
        """Return all primaries that have slots, in a stable order."""
        nodes = self._known().get_nodes_by_server_type(PRIMARY)
        return [self.url(host, port) for host, port in sorted((node.host, node.port) for node in nodes)]

    def moved(self, error: AskError) -> None:
        """Learn from a MOVED where its slot is, and refresh: others have probably moved, too."""
        nodes = self._known()
        # redis-py takes an empty host for an address, and fails on a slot that had no server.
        if error.host and error.slot_id in nodes.slots_cache:
            nodes.move_slot(error)
        self.refresh()

    def refresh(self) -> None:
        """Ask the cluster again, at most every half second. If it does not answer, the map stays as it is."""
        self._refresh_if_older(_AT_MOST_EVERY_S)

    def url(self, host: str, port: int) -> str:
        """Return the URL of one server of this cluster."""
        if (host, port) not in self._urls:
            self._urls[host, port] = server_in_cluster(self._url, host, port)
        return self._urls[host, port]

    def _known(self) -> Any:
        if self._nodes is None:
            with self._connecting:
                if self._nodes is None:
                    self._nodes = self._connected()
        else:
            self._refresh_if_older(REFRESHED_EVERY_S)
        return self._nodes

    def _refresh_if_older(self, age_s: float) -> None:
        if self._nodes is None or time.monotonic() - self._refreshed_at_s < age_s:
            return
        # Before asking: meanwhile other greenlets use the map as it is.
        self._refreshed_at_s = time.monotonic()
        known = self._nodes.nodes_cache, self._nodes.slots_cache
        try:
            self._nodes.initialize(additional_startup_nodes_info=cluster_hosts(self._url))
        except _FAILURES as error:
            # It may have put an empty map in their place before it failed.
            self._nodes.nodes_cache, self._nodes.slots_cache = known
            _log.warning("slot map not refreshed", error=str(error))
        self._refreshed_at_s = time.monotonic()  # A server that hangs makes it take longer than the interval.

    def _connected(self) -> Any:
        # Those that waited while an attempt failed do not each begin another.
        if time.monotonic() - self._refreshed_at_s < _AT_MOST_EVERY_S:
            raise RedisConnectionError(self._failure)
        options = connection_options(self._url)
        options["ssl"] = issubclass(options.pop("connection_class"), SSLConnection)
        for of_one in ("host", "port", "db"):
            options.pop(of_one, None)
        bounds = {"protocol": 2, "socket_timeout": _ANSWERS_WITHIN_S, "socket_connect_timeout": _ANSWERS_WITHIN_S}
        hosts = [_Node(host, port) for host, port in cluster_hosts(self._url)]
        try:
            # A slot without a server must not keep the events in other slots from being sold.
            cluster = _Cluster(startup_nodes=hosts, require_full_coverage=False, **(options | bounds))
        except _FAILURES as error:
            self._failure = f"the cluster does not answer: {error}"
            self._refreshed_at_s = time.monotonic()
            raise RedisConnectionError(self._failure) from error
        self._refreshed_at_s = time.monotonic()
        return cluster.nodes_manager


def slot_of(key: Argument) -> int:
    return _key_slot(key if isinstance(key, bytes) else str(key).encode())


@lru_cache(maxsize=8)
def slot_map(url: str) -> SlotMap:
    """Return the one map of this process for the cluster at `url`."""
    return SlotMap(url)
