"""What all `Calls` have in common: commands and scripts become calls, with a span, and failures are noted."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ResponseError

from seating.redis_store.calls import Argument, Call, Command, ScriptCall
from seating.redis_store.failures import ScriptFailures
from seating.telemetry import tracing


class TracedCalls(ABC):
    """`_digest` returns a script's SHA-1 by its name."""

    _digest: Callable[[str], str]
    _script_failures: ScriptFailures

    @abstractmethod
    def _ask(self, calls: Sequence[Call]) -> list[Any]:
        """Send the calls together and return their replies."""

    def _ask_each(self, calls: Sequence[Call]) -> list[Any]:
        """As `_ask`, but a cluster replies None for the keys of a server that does not answer while others do."""
        return self._ask(calls)

    def command(self, *words: Argument) -> Any:
        with tracing.call("redis", str(words[0])):
            return self._ask([Command(words)])[0]

    def commands(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        with tracing.call("redis", "commands"):
            return self._ask([Command(tuple(words)) for words in many])

    def commands_of_each(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        with tracing.call("redis", "commands"):
            return self._ask_each([Command(tuple(words)) for words in many])

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument], *, promises: bool = False) -> Any:
        with tracing.call("redis", name) as span:
            return self._run(name, self._ask, [ScriptCall(self._digest(name), keys, args, promises, span.link)])[0]

    def scripts(self, name: str, keys_of_each: Sequence[Sequence[str]], args: Sequence[Argument]) -> list[Any]:
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
