"""A Redis Cluster of three primaries with a replica each, made by hand so that it is ready within seconds."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psutil
import redis

from seating.redis_store import durability, keys
from seating.redis_store.slot_map import slot_of
from tests.certificate import make_certificate
from tests.programs import program
from tests.servers import wait_until
from tests.system import System, free_port

_SLOTS: Final = 16384
_PASSWORD: Final = "p@ss/word"
_NODE_TIMEOUT_MS: Final = 2000
"""A shorter one than 2 s could be the silence of a machine that runs other tests too."""


@contextmanager
def running_cluster(folder: Path, **options: Any) -> "Iterator[Cluster]":
    cluster = Cluster(folder, **options)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


class Cluster:
    """Ports name its servers. Each primary has a third of the slots.

    A replica takes over after a silence of `node_timeout_ms`.
    """

    def __init__(
        self, folder: Path, node_timeout_ms: int = _NODE_TIMEOUT_MS, *, secure: bool = False, maxmemory_mb: int = 64
    ) -> None:
        self._folder = folder
        self._maxmemory_mb = maxmemory_mb
        self._node_timeout_ms = node_timeout_ms
        self._secure = secure
        self._certificate = folder / "certificate.pem"
        self._key = folder / "key.pem"
        self._program = program("redis-server")
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._buses: dict[int, int] = {}
        self.servers: list[int] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.servers[:3])
        if not self._secure:
            return f"redis+cluster://{hosts}"
        return f"rediss+cluster://:{quote(_PASSWORD, safe='')}@{hosts}?ssl_ca_certs={self._certificate}"

    def start(self) -> None:
        if self._secure:
            make_certificate(self._certificate, self._key)
        while len(self.servers) < 6:
            port = free_port()
            self._buses[port] = free_port()
            # A new primary refuses commands for the time of that timeout, up to 5 s.
            if self.start_server(port, _NODE_TIMEOUT_MS):  # Otherwise somebody else took one of its ports meanwhile.
                self.servers.append(port)
        primaries, replicas = self.servers[:3], self.servers[3:]
        for number, port in enumerate(primaries):
            bounds = number * _SLOTS // 3, (number + 1) * _SLOTS // 3 - 1
            self._cluster(port, "ADDSLOTSRANGE", *bounds)
        for epoch, port in enumerate(self.servers, 1):
            self._cluster(port, "SET-CONFIG-EPOCH", epoch)
        for port, peer in combinations(self.servers, 2):  # Gossip alone would let chance decide when all have met.
            self._cluster(port, "MEET", "127.0.0.1", peer, self._buses[peer])
        wait_until(lambda: all(map(self._has_met_all, self.servers)), 60, "the servers to meet")
        for primary, replica in zip(primaries, replicas, strict=True):
            self._cluster(replica, "REPLICATE", self.id_of(primary))
        self.await_whole()
        for port in self.servers:
            self.client(port).config_set("cluster-node-timeout", self._node_timeout_ms)

    def start_server(self, port: int, node_timeout_ms: int = 0) -> bool:
        """Return whether it answers; False if it has ended."""
        folder = self._folder / str(port)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "redis.conf"
        settings = {
            "bind": "127.0.0.1",
            "dir": folder,
            **(self._tls(port) if self._secure else {"port": port}),
            "cluster-enabled": "yes",
            "cluster-port": self._buses[port],
            "cluster-node-timeout": node_timeout_ms or self._node_timeout_ms,
            "cluster-require-full-coverage": "no",
            "min-replicas-to-write": 1,
            "min-replicas-max-lag": 10,
            "repl-diskless-sync-delay": 0,
        }
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        with (folder / "log").open("ab") as log:
            command = [self._program, str(config), *durability.launch_options(self._maxmemory_mb)]
            process = self._processes[port] = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(lambda: process.poll() is not None or self.client(port).ping(), 60, "a server of the cluster")
        return process.poll() is None

    def _tls(self, port: int) -> dict[str, object]:
        return {
            "port": 0,
            "tls-port": port,
            "tls-cert-file": self._certificate,
            "tls-key-file": self._key,
            "tls-ca-cert-file": self._certificate,
            "tls-auth-clients": "no",
            "tls-replication": "yes",
            "tls-cluster": "yes",
            "requirepass": _PASSWORD,
            "masterauth": _PASSWORD,
        }

    def await_whole(self) -> None:
        """Until every slot has a primary and each primary a replica that is in step."""
        wait_until(lambda: all(map(self._is_whole, self.servers)), 60, "the cluster to be whole")

    def stop(self) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()

    def client(self, port: int) -> Any:
        secure = {"password": _PASSWORD, "ssl": True, "ssl_ca_certs": str(self._certificate)} if self._secure else {}
        return redis.Redis("127.0.0.1", port, decode_responses=True, **secure)  # type: ignore[arg-type]

    def primaries(self) -> list[int]:
        """The ports of the primaries, as a server that runs has them."""
        return [
            int(address.rpartition(":")[2])
            for address, about in self._nodes(self._running()).items()
            if "master" in about["flags"] and "fail" not in about["flags"]
        ]

    def replicas(self) -> list[int]:
        """The ports of all others that should run."""
        return sorted(set(self.servers).difference(self.primaries()))

    def primary_of(self, event_id: str) -> int:
        """The port of the primary that has the event's slot."""
        return self.primary_of_key(keys.inventory(event_id))

    def primary_of_key(self, key: str) -> int:
        slot = slot_of(key)
        about = self._cluster(self._running(), "SLOTS")
        return next(int(primary[1]) for first, last, primary, *_ in about if first <= slot <= last)

    def move(self, event_id: str, meanwhile: Callable[[], object] = lambda: None) -> int:
        """Move the event's slot as redis-cli does; return its new primary. `meanwhile` runs once its keys are there."""
        slot, source = slot_of(keys.inventory(event_id)), self.primary_of(event_id)
        target = next(port for port in sorted(self.primaries()) if port > source or source == max(self.primaries()))
        self._cluster(target, "SETSLOT", slot, "IMPORTING", self.id_of(source))
        self._cluster(source, "SETSLOT", slot, "MIGRATING", self.id_of(target))
        while names := self._cluster(source, "GETKEYSINSLOT", slot, 10):
            password = ("AUTH", _PASSWORD) if self._secure else ()
            self.client(source).execute_command("MIGRATE", "127.0.0.1", target, "", 0, 5000, *password, "KEYS", *names)
        meanwhile()
        for port in (target, source, *self.primaries()):
            self._cluster(port, "SETSLOT", slot, "NODE", self.id_of(target))
        return target

    def kill(self, port: int) -> None:
        """kill -9, and wait until its replica has taken over."""
        before = set(self.primaries())
        self.crash(port)
        wait_until(lambda: len(set(self.primaries()) - before) == 1, 60, "a replica to take over")

    def crash(self, port: int) -> None:
        """kill -9 of a primary or replica."""
        self._processes[port].kill()
        self._processes[port].wait()

    @contextmanager
    def paused(self, port: int) -> Iterator[None]:
        """Takes what it is sent, and does it later."""
        self._processes[port].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._processes[port].send_signal(signal.SIGCONT)

    def cpu_s(self, port: int) -> float:
        """CPU time that a server has used so far."""
        used = psutil.Process(self._processes[port].pid).cpu_times()
        return float(used.user + used.system)

    def id_of(self, port: int) -> str:
        return str(self._cluster(port, "MYID"))

    def _cluster(self, port: int, command: str, *words: object) -> Any:
        return self.client(port).execute_command(f"CLUSTER {command}", *words)

    def _running(self) -> int:
        return next(port for port, process in self._processes.items() if process.poll() is None)

    def _nodes(self, port: int) -> dict[str, Any]:
        nodes: dict[str, Any] = self._cluster(port, "NODES")
        return nodes

    def _has_met_all(self, port: int) -> bool:
        nodes = self._nodes(port).values()
        return len(nodes) == 6 and not any("handshake" in node["flags"] for node in nodes)

    def _is_whole(self, port: int) -> bool:
        about = self.client(port).info()
        flags = sorted(node["flags"].removeprefix("myself,") for node in self._nodes(port).values())
        whole = self._cluster(port, "INFO")["cluster_state"] == "ok" and flags == ["master"] * 3 + ["slave"] * 3
        if about["role"] == "master":
            return whole and about["connected_slaves"] >= 1
        return whole and about["master_link_status"] == "up" and not about["aof_rewrite_in_progress"]


class ClusterSystem(System):
    """Runs on a cluster. RQ reads its prefix when it is imported, so no part of it may run in the tests' process."""

    def __init__(self, folder: Path, cluster: Cluster, database_url: str, **settings: str) -> None:
        super().__init__(folder, cluster, database_url, RQ_KEY_PREFIX="{rq}", **settings)  # type: ignore[arg-type]

    def wait_ready(self, within_s: float = 120) -> None:
        super().wait_ready(within_s)

    def _migrate(self) -> None:
        self.command("migrate", "--with-demo")
