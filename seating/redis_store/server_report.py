"""A Redis server's report on itself: its identity, its role and its settings."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError


class ServerIdentity(NamedTuple):
    """Identifies one history of writes: the process, and the replication id, which demotion and promotion change."""

    run_id: str
    replication_id: str


class ServerReport(NamedTuple):
    """`settings_hidden` is why `settings` is empty. `rewrites`: the append-only file is being rewritten."""

    server: ServerIdentity
    is_primary: bool
    replicas: int
    rewrites: bool
    settings: Mapping[str, str]
    settings_hidden: str

    @staticmethod
    def questions(settings: Iterable[str]) -> list[tuple[str, ...]]:
        """Return the commands whose replies `read` expects."""
        return [("INFO", "server", "replication", "persistence"), ("CONFIG", "GET", *settings)]

    @classmethod
    def read(cls, read_reply: Callable[[], Any]) -> Self:
        """Raise what `read_reply` raises, but for a refusal to show the settings; ConnectionError for a server that is
        none of Redis's kind.
        """
        info = info_fields(read_reply())
        words: list[bytes] = []
        hidden = ""
        try:
            words = read_reply()
        except ResponseError as error:
            hidden = str(error)
        texts = [word.decode() for word in words]
        try:
            return cls(
                ServerIdentity(info["run_id"], info["master_replid"]),
                info["role"] == "master",
                int(info["connected_slaves"]),
                "1" in (info["aof_rewrite_in_progress"], info["aof_rewrite_scheduled"]),
                dict(zip(texts[::2], texts[1::2], strict=True)),
                hidden,
            )
        except KeyError as error:
            raise RedisConnectionError(f"the server does not tell its {error.args[0]}") from error


def info_fields(info: bytes) -> dict[str, str]:
    """Return the fields of a reply to INFO."""
    pairs = (line.partition(":") for line in info.decode().splitlines())
    return {name: value for name, separator, value in pairs if separator}
