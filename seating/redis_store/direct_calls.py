"""`Calls` one at a time, for the processes that have no greenlets: worker, cron and command line."""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError, ResponseError

from seating.redis_store.calls import (
    Argument,
    Call,
    Command,
    RedisOutcomeUnknown,
    RedisUnavailable,
    ScriptCall,
)
from seating.redis_store.connection import LOST, ScriptConnection
from seating.redis_store.script_failures import ScriptFailures
from seating.redis_store.seen_positions import SeenPositions


class DirectCalls:
    """For one thread."""

    def __init__(self, connection: ScriptConnection) -> None:
        self._connection = connection
        self._script_failures = ScriptFailures()

    @property
    def seen(self) -> SeenPositions:
        return self._connection.seen

    def doubt(self) -> None:
        self._connection.doubt()

    @property
    def missing_durability(self) -> str:
        return self._connection.missing_durability

    def command(self, *words: Argument) -> Any:
        return self._ask([Command(words)])[0]

    def commands(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        return self._ask([Command(tuple(words)) for words in many])

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument], *, promises: bool = False) -> Any:
        return self._run_all(name, [ScriptCall(self._connection.digest(name), keys, args, promises)])[0]

    def scripts(self, name: str, keys_of_each: Sequence[Sequence[str]], args: Sequence[Argument]) -> list[Any]:
        digest = self._connection.digest(name)
        return self._run_all(name, [ScriptCall(digest, keys, args) for keys in keys_of_each])

    def close(self) -> None:
        self._connection.disconnect()

    def _run_all(self, name: str, calls: Sequence[Call]) -> list[Any]:
        try:
            return self._ask_again(calls)
        except ResponseError as error:
            self._script_failures.note(name, error)
            raise

    def _ask_again(self, calls: Sequence[Call]) -> list[Any]:
        try:
            return self._ask(calls)
        except NoScriptError:
            # None of them ran, and connecting loads the scripts again.
            return self._ask(calls)

    def _ask(self, calls: Sequence[Call]) -> list[Any]:
        self._connection.connect()
        for refusal in filter(None, map(self._connection.refusal, calls)):
            raise RedisUnavailable(refusal)
        replies: list[Any] = []
        try:
            packed = [self._connection.pack(call) for call in calls]
            self._connection.exchange(packed, lambda _index, reply: replies.append(reply))
        except LOST as error:
            raise RedisOutcomeUnknown(str(error)) from error
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies
