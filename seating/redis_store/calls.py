"""The interface through which redis_store calls Redis: commands, scripts, and their failures."""

import hashlib
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog
from redis.exceptions import OutOfMemoryError, ResponseError

from seating.telemetry import tracing

if TYPE_CHECKING:
    from seating.redis_store.seen_positions import SeenPositions

Argument = str | bytes | int

_LUA = resources.files("seating.redis_store") / "lua"
_USES = re.compile(r"^-- Uses (\w+)\.lua$", re.MULTILINE)

_LOGGED_EVERY_S: Final = 60.0
_LONGEST_LOGGED: Final = 300

_log = structlog.get_logger(__name__)


class Command(NamedTuple):
    """A plain command, such as ("HGET", key, field)."""

    words: tuple[Argument, ...]


class ScriptCall(NamedTuple):
    """A script on an event. The connection inserts the caller before `args`.

    A script that `promises` something to its caller runs only on a durable server. `trace` is the traceparent that log
    entries of the script get, "" for none.
    """

    digest: str
    keys: Sequence[Argument]
    args: Sequence[Argument]
    promises: bool = False
    trace: str = ""


Call = Command | ScriptCall


class RedisUnavailable(Exception):
    """The call was not sent: Redis is unreachable or not durable, or too many calls wait. Nothing has changed."""


class RedisOutcomeUnknown(RedisUnavailable):
    """The call was sent but got no reply: it may or may not have run."""


class ScriptFailures:
    """Scripts of one connection that raise: each kind is logged once a minute, as callers only hear that Redis is
    unavailable. A kind is a script and the class of its error.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._logged_at_s: dict[tuple[str, str], float] = {}

    def note(self, script: str, error: ResponseError) -> None:
        """Log the failure, unless Redis is full: then it refused before the script ran."""
        if isinstance(error, OutOfMemoryError):
            return
        kind, now_s = (script, type(error).__name__), self._clock_s()
        if now_s - self._logged_at_s.get(kind, float("-inf")) >= _LOGGED_EVERY_S:
            self._logged_at_s[kind] = now_s
            _log.error("script failed", script=script, error=str(error)[:_LONGEST_LOGGED])


class Calls(ABC):
    """Commands and scripts, each with a span. Replies are what Redis sends: bytes, integers, None and lists of them.

    Raises RedisUnavailable, RedisOutcomeUnknown, or redis.ResponseError if Redis refused the command.
    `seen` has the highest position of each event that this process has seen; `digest` returns a script's SHA-1 by name.
    """

    def __init__(self, seen: "SeenPositions", digest: Callable[[str], str]) -> None:
        self.seen: Final = seen
        self._digest = digest
        self._script_failures = ScriptFailures()

    @abstractmethod
    def doubt(self, key: str, named: bytes) -> bool:
        """Reconnect before the next call: the inventory of this key names another server than the one that responded.

        `named` is empty while a term begins. Return whether to ask again: the key's slot may just have moved.
        """

    @abstractmethod
    def is_silent(self, key: str) -> bool:
        """Return whether the key's server, one of a cluster, has just let a call wait in vain."""

    @property
    @abstractmethod
    def missing_durability(self) -> str:
        """What the server lacks to be durable, or ""."""

    @abstractmethod
    def primaries(self) -> Sequence["Calls"]:
        """Return the calls to each server that has keys: only these themselves, unless Redis is a cluster.

        Commands and scripts that name no key, such as INFO, must be sent to one of them.
        """

    @abstractmethod
    def _ask(self, calls: Sequence[Call]) -> list[Any]:
        """Send the calls together and return their replies."""

    def _ask_each(self, calls: Sequence[Call]) -> list[Any]:
        """As `_ask`, but a cluster replies None for the keys of a server that does not answer while others do."""
        return self._ask(calls)

    def command(self, *words: Argument) -> Any:
        """Send a command, the first argument of which is its key."""
        with tracing.call("redis", str(words[0])):
            return self._ask([Command(words)])[0]

    def commands(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        """Send independent commands together and return their replies."""
        with tracing.call("redis", "commands"):
            return self._ask([Command(tuple(words)) for words in many])

    def commands_of_each(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        """Send one command for each of several keys, together, and return the replies, as `_ask_each` does."""
        with tracing.call("redis", "commands"):
            return self._ask_each([Command(tuple(words)) for words in many])

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument], *, promises: bool = False) -> Any:
        with tracing.call("redis", name) as span:
            return self._run(name, self._ask, [ScriptCall(self._digest(name), keys, args, promises, span.link)])[0]

    def scripts(self, name: str, keys_of_each: Sequence[Sequence[str]], args: Sequence[Argument]) -> list[Any]:
        """Run one script for several sets of keys, sent together, and return the replies, as `_ask_each` does."""
        digest = self._digest(name)
        with tracing.call("redis", name) as span:
            calls = [ScriptCall(digest, keys, args, trace=span.link) for keys in keys_of_each]
            return self._run(name, self._ask_each, calls)

    def _run(self, name: str, ask: Callable[[Sequence[Call]], list[Any]], calls: Sequence[Call]) -> list[Any]:
        try:
            return ask(calls)
        except ResponseError as error:
            self._script_failures.note(name, error)
            raise


def replies_of(outcomes: list[Any]) -> list[Any]:
    """Return the outcomes of calls that all have a reply, or raise the first error."""
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return outcomes


class Scripts:
    """The Lua scripts by name: each file of lua/, after the clock and the files that it declares to use.

    `replaced` swaps a file's text: tests use it to move the clock or remove a guard.
    """

    def __init__(self, replaced: dict[str, str] | None = None) -> None:
        files = {file.name.removesuffix(".lua"): file.read_text() for file in _LUA.iterdir()}
        files |= replaced or {}
        clock = files.pop("clock")
        # Only what it uses: Lua defines these functions again in every call.
        uses = {name: _USES.findall(body) for name, body in files.items()}
        parts = {part: files.pop(part) for part in {part for used in uses.values() for part in used}}
        self.sources: Final = {
            name: _assemble(clock + "".join(parts[part] for part in uses[name]), _USES.sub("", body))
            for name, body in files.items()
        }

    @cached_property
    def digests(self) -> dict[str, str]:
        """The SHA-1 of each script, by name, for EVALSHA."""
        return {
            name: hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
            for name, source in self.sources.items()
        }


def _assemble(shared: str, body: str) -> str:
    """Join the parts. A script's flags (`#!lua …`) must be its very first line."""
    if body.startswith("#!"):
        flags, _, rest = body.partition("\n")
        return f"{flags}\n{shared}{rest}"
    return shared + body
