"""How the rest of redis_store asks Redis: one command or one script at a time, and what can go wrong with that."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

Argument = str | bytes | int


class Command(NamedTuple):
    """A plain command, such as ("HGET", key, field)."""

    words: tuple[Argument, ...]


class ScriptCall(NamedTuple):
    """A script on an event. The connection puts the run_id of its server in front of `args`.

    One that `promises` something to its caller runs on a durable server only.
    """

    digest: str
    keys: Sequence[Argument]
    args: Sequence[Argument]
    promises: bool = False


Call = Command | ScriptCall


class RedisUnavailable(Exception):
    """The call was not sent: Redis cannot be reached, is not durable, or too many calls wait. Nothing has changed."""


class RedisOutcomeUnknown(RedisUnavailable):
    """The call was sent and its reply did not come: it may or may not have been carried out."""


class Calls(Protocol):
    """Replies are what Redis sends: bytes, integers, None and lists of them.

    Raises RedisUnavailable, RedisOutcomeUnknown, or redis.ResponseError for a command that Redis refused.
    """

    @property
    def run_id(self) -> str | None:
        """The server of the current connection; None while there is none."""

    @property
    def missing_durability(self) -> str:
        """What the server needs before it may promise anything; "" when it is durable."""
        ...

    def command(self, *words: Argument) -> Any: ...

    def commands(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        """The replies to independent commands, asked for together."""
        ...

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument], *, promises: bool = False) -> Any: ...
