"""`Calls` one at a time, for the processes that have no greenlets: worker, cron and command line."""

from collections.abc import Sequence
from typing import Any

from seating.redis_store.calls import Argument, Call, Command, RedisOutcomeUnknown, RedisUnavailable, ScriptCall
from seating.redis_store.connection import LOST, ScriptConnection, never_ran


class DirectCalls:
    """For one thread."""

    def __init__(self, connection: ScriptConnection) -> None:
        self._connection = connection

    @property
    def run_id(self) -> str | None:
        return self._connection.run_id

    def command(self, *words: Argument) -> Any:
        return self._ask(Command(words))

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        return self._ask(ScriptCall(name, tuple(keys), tuple(args)))

    def close(self) -> None:
        self._connection.disconnect()

    def _ask(self, call: Call) -> Any:
        reply = self._exchange(call)
        if never_ran(reply):
            try:
                self._connection.load_scripts()
            except LOST as error:
                self._connection.disconnect()
                raise RedisUnavailable(str(error)) from error
            reply = self._exchange(call)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _exchange(self, call: Call) -> Any:
        self._connection.connect()
        replies: list[Any] = []
        try:
            self._connection.exchange([call], lambda _index, reply: replies.append(reply))
        except LOST as error:
            raise RedisOutcomeUnknown(str(error)) from error
        return replies[0]
