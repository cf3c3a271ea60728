"""Three Redis servers, one of them primary, and three sentinels over them; with a password and TLS if asked."""

import subprocess
from pathlib import Path
from typing import Any

import redis

from seating.redis_store import durability
from tests.certificate import make_certificate
from tests.programs import program
from tests.servers import wait_until
from tests.system import free_port

SERVICE = "sale"
_PASSWORD = "p@ss/word"
_QUOTED = "p%40ss%2Fword"
# A shorter silence could be that of a machine that runs other tests too.
_DOWN_AFTER_MS = 2000


class Sentinels:
    """`url` leads to whichever server is the primary. All are on ports of their own, in one folder."""

    def __init__(self, folder: Path, *, secure: bool) -> None:
        self._folder = folder
        self._secure = secure
        self._server, self._sentinel = program("redis-server"), program("redis-sentinel")
        folder.mkdir(parents=True)
        # One name for what the servers and their clients read: pytest's folders are long.
        self._certificate = folder / "certificate.pem"
        self._key = folder / "key.pem"
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.servers = [free_port() for _ in range(3)]
        self.sentinels = [free_port() for _ in range(3)]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        if not self._secure:
            return f"redis+sentinel://{hosts}/{SERVICE}"
        options = f"ssl_ca_certs={self._certificate}&sentinel_password={_QUOTED}"
        return f"rediss+sentinel://:{_QUOTED}@{hosts}/{SERVICE}?{options}"

    def start(self) -> None:
        if self._secure:
            make_certificate(self._certificate, self._key)
        primary = self.servers[0]
        for port in self.servers:
            follows = [] if port == primary else [f"replicaof 127.0.0.1 {primary}"]
            self._start(self._server, port, [*self._server_settings(), *follows], *durability.launch_options(64))
        wait_until(lambda: self.client(primary).info("replication")["connected_slaves"] == 2, what="two replicas")
        wait_until(lambda: all(map(self._is_in_step, self.servers[1:])), what="replicas in step")
        for port in self.sentinels:
            self._start(self._sentinel, port, self._sentinel_settings(primary))
        wait_until(lambda: all(map(self._knows_all, self.sentinels)), 30, "the sentinels to know each other")

    def stop(self) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()

    def client(self, port: int) -> "redis.Redis":
        return redis.Redis("127.0.0.1", port, decode_responses=True, **self._client_options())

    def primary(self) -> int:
        """The port of the server that the sentinels agree on."""
        named = {int(self._about(port)["port"]) for port in self.sentinels}
        assert len(named) == 1, named
        return named.pop()

    def await_replicas(self) -> None:
        """Until the replicas have all that the primary has now: then a failover loses nothing."""
        primary = self.primary()
        written = self.client(primary).info("replication")["master_repl_offset"]
        alive = [port for port in self.servers if port != primary and self._processes[port].poll() is None]
        for port in alive:
            replica = self.client(port)
            wait_until(
                lambda replica=replica: replica.info("replication").get("slave_repl_offset", 0) >= written,
                what="a replica to have all",
            )

    def fence_primary(self) -> int:
        """Let it accept no more writes. The port of the primary."""
        port = self.primary()
        self.client(port).config_set("min-replicas-to-write", 100)
        return port

    def lift_fence(self, port: int) -> None:
        """As soon as the old primary is a replica, for when it is promoted again."""
        wait_until(lambda: self.client(port).info("replication")["role"] == "slave", 90, "the old primary to follow")
        self.client(port).config_set("min-replicas-to-write", 1)
        self.client(port).config_rewrite()

    def fail_over(self) -> None:
        """As an operator has it done while all servers work. Returns when another one is the primary."""
        before = self.primary()
        self.client(self.sentinels[0]).execute_command("SENTINEL", "FAILOVER", SERVICE)
        self.await_primary_after(before)

    def kill_primary(self) -> None:
        """kill -9, and then another one is the primary."""
        before = self.primary()
        self._processes[before].kill()
        self._processes[before].wait()
        self.await_primary_after(before)

    def await_primary_after(self, before: int) -> None:
        wait_until(lambda: self.primary() != before, 90, "another primary")

    def _start(self, executable: str, port: int, settings: list[str], *options: str) -> None:
        folder = self._folder / str(port)
        folder.mkdir()
        listening = [f"port {port}"]
        if self._secure:
            listening = [
                "port 0",
                f"tls-port {port}",
                f"tls-cert-file {self._certificate}",
                f"tls-key-file {self._key}",
                f"tls-ca-cert-file {self._certificate}",
                "tls-auth-clients no",
                "tls-replication yes",
                f"requirepass {_PASSWORD}",
            ]
        config = folder / "redis.conf"
        config.write_text("\n".join(["bind 127.0.0.1", f"dir {folder}", *listening, *settings, ""]))
        with (folder / "log").open("ab") as log:
            self._processes[port] = subprocess.Popen([executable, str(config), *options], stdout=log, stderr=log)
        wait_until(lambda: self.client(port).ping(), what=f"{Path(executable).name} to answer")

    def _server_settings(self) -> list[str]:
        return [
            "min-replicas-to-write 1",
            "min-replicas-max-lag 10",
            "repl-diskless-sync-delay 0",
            *([f"masterauth {_PASSWORD}"] if self._secure else []),
        ]

    def _sentinel_settings(self, primary: int) -> list[str]:
        return [
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2",
            f"sentinel down-after-milliseconds {SERVICE} {_DOWN_AFTER_MS}",
            f"sentinel failover-timeout {SERVICE} 10000",
            *(
                [f"sentinel auth-pass {SERVICE} {_PASSWORD}", f"sentinel sentinel-pass {_PASSWORD}"]
                if self._secure
                else []
            ),
        ]

    def _client_options(self) -> dict[str, Any]:
        if not self._secure:
            return {}
        return {"password": _PASSWORD, "ssl": True, "ssl_ca_certs": str(self._certificate)}

    def _is_in_step(self, replica: int) -> bool:
        status = self.client(replica).info()
        return status["master_link_status"] == "up" and status["aof_rewrite_in_progress"] == 0

    def _about(self, sentinel: int) -> dict[str, str]:
        words = self.client(sentinel).execute_command("SENTINEL", "MASTER", SERVICE)
        return words if isinstance(words, dict) else dict(zip(words[::2], words[1::2], strict=True))

    def _knows_all(self, sentinel: int) -> bool:
        about = self._about(sentinel)
        return (int(about["num-slaves"]), int(about["num-other-sentinels"])) == (2, 2)
