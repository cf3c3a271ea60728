"""How the rest of redis_store asks Redis: one command or one script at a time, and what can go wrong with that."""

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from seating.redis_store.seen_positions import SeenPositions

Argument = str | bytes | int

_LUA = resources.files("seating.redis_store") / "lua"
_USES = re.compile(r"^-- Uses (\w+)\.lua$", re.MULTILINE)


class Command(NamedTuple):
    """A plain command, such as ("HGET", key, field)."""

    words: tuple[Argument, ...]


class ScriptCall(NamedTuple):
    """A script on an event. The connection puts the caller in front of `args`.

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
    def seen(self) -> "SeenPositions":
        """What this process has seen of each event."""

    def doubt(self) -> None:
        """An inventory names another server than the one that answered: connect anew before the next call."""

    @property
    def missing_durability(self) -> str:
        """What the server needs before it may promise anything; "" when it is durable."""
        ...

    def command(self, *words: Argument) -> Any: ...

    def commands(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        """The replies to independent commands, asked for together."""
        ...

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument], *, promises: bool = False) -> Any: ...

    def scripts(self, name: str, keys_of_each: Sequence[Sequence[str]], args: Sequence[Argument]) -> list[Any]:
        """The replies of one script run for several keys, asked for together."""
        ...


class Scripts:
    """The Lua scripts by name: each file of lua/ behind the clock, and behind those that it says it uses.

    `replaced` swaps a file's text, which is how tests move the clock or take a guard out.
    """

    def __init__(self, replaced: dict[str, str] | None = None) -> None:
        files = {file.name.removesuffix(".lua"): file.read_text() for file in _LUA.iterdir()}
        files |= replaced or {}
        clock = files.pop("clock")
        uses = {name: _USES.findall(body) for name, body in files.items()}
        parts = {part: files.pop(part) for part in {part for used in uses.values() for part in used}}
        self.sources: Final = {
            name: _assemble(clock + "".join(parts[part] for part in uses[name]), body) for name, body in files.items()
        }

    @cached_property
    def digests(self) -> dict[str, str]:
        """Name to SHA-1, the id that EVALSHA takes."""
        return {
            name: hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
            for name, source in self.sources.items()
        }


def _assemble(shared: str, body: str) -> str:
    """A script's flags (`#!lua …`) have to be its very first line."""
    if body.startswith("#!"):
        flags, _, rest = body.partition("\n")
        return f"{flags}\n{shared}{rest}"
    return shared + body
