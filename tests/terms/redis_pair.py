"""Two Redis servers behind one address: a primary, and a standby that has what was last copied to it."""

from pathlib import Path
from typing import Any

from tests.frozen_clock import CLOCK
from tests.servers import RedisServer

Content = dict[bytes, tuple[int, bytes]]

_NOWHERE = ("127.0.0.1", "1")


class RedisNode:
    """One server. Its run_id stays; every promotion gives it another replication id."""

    def __init__(self, folder: Path) -> None:
        self.server = RedisServer(folder)
        self.server.start()
        self.client = self.server.client()
        self.path = self.server.url.removeprefix("unix://")

    @property
    def identity(self) -> str:
        """As the scripts name it."""
        info = self.client.info()
        return f"{info['run_id']}:{info['master_replid']}"

    @property
    def is_primary(self) -> bool:
        return bool(self.client.info("replication")["role"] == "master")

    def demote(self) -> None:
        self.client.replicaof(*_NOWHERE)

    def promote(self) -> None:
        self.demote()
        self.client.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]

    def cut_connections(self) -> None:
        for one in self.client.client_list(_type="normal"):
            if int(one["id"]) != self.client.client_id():
                self.client.client_kill_filter(_id=one["id"])

    def content(self) -> Content:
        """Every key: how long it lives yet in ms, 0 for good, and its value as DUMP has it."""
        return {
            key: (max(0, self.client.pttl(key)), value)
            for key in self.client.keys("*")
            if (value := self.client.dump(key)) is not None
        }

    def load(self, content: Content) -> None:
        """Replaces all that it has, as a full synchronisation does."""
        self.client.config_set("replica-read-only", "no")
        copying = self.client.pipeline(transaction=True)
        copying.flushall()
        for key, (lives_ms, value) in content.items():
            copying.restore(key, lives_ms, value)
        copying.execute()
        self.client.config_set("replica-read-only", "yes")


class RedisPair:
    """`url` leads to whichever is the primary when somebody connects; open connections stay where they are."""

    def __init__(self, folder: Path) -> None:
        self.nodes = (RedisNode(folder / "a"), RedisNode(folder / "b"))
        self._address = Path(self.nodes[0].path).parent / "primary.sock"
        self.url = f"unix://{self._address}"
        self.primary, self.standby = self.nodes

    def begin(self) -> None:
        """Two empty servers, the first one a primary."""
        for node in self.nodes:
            node.promote()
            node.client.flushall()
        self.primary, self.standby = self.nodes
        self.standby.demote()
        self._point()

    def stop(self) -> None:
        self._address.unlink(missing_ok=True)
        for node in self.nodes:
            node.server.stop()

    def set_clock(self, now_ms: int) -> None:
        for node in self.nodes:
            node.client.config_set("replica-read-only", "no")
            node.client.set(CLOCK, now_ms)
            node.client.config_set("replica-read-only", "yes")

    def replicate(self) -> None:
        """The standby, an old primary too, is a replica now and has all of it."""
        self.standby.demote()
        self.standby.load(self.primary.content())

    def fail_over(self, old: str) -> None:
        """The standby is promoted with what it has. The `old` primary is "gone", "demoted", or sells on unknowing."""
        self.primary, self.standby = self.standby, self.primary
        self.primary.promote()
        self._point()
        if old == "demoted":
            self.standby.demote()
        if old == "gone":
            self.standby.cut_connections()

    def fail_back(self) -> None:
        """The primary takes over what the standby has, and is the primary again, under one run_id."""
        self.primary.demote()
        self.primary.load(self.standby.content())
        self.primary.promote()

    def come_back(self, content: Content) -> None:
        """The primary is another server, with this in it."""
        self.primary.load(content)
        self.restart()

    def restart(self) -> None:
        """It comes back with all that it had."""
        self.primary.promote()
        self.primary.cut_connections()

    def empty(self, now_ms: int) -> None:
        """It comes back with nothing."""
        self.primary.client.flushall()
        self.set_clock(now_ms)
        self.restart()

    def _point(self) -> None:
        self._address.unlink(missing_ok=True)
        self._address.symlink_to(self.primary.path)


def texts(found: Any) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in found.items()}
