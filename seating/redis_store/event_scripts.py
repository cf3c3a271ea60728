"""Asking Redis about one event: its scripts and plain commands, and what it means when Redis does not answer."""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import OutOfMemoryError, ResponseError

from seating.domain.errors import BacklogFull, InventoryUnavailable, OutcomeUnknown
from seating.redis_store.calls import Argument, Calls, RedisOutcomeUnknown, RedisUnavailable

_ASKED_AT_ONCE = 500


class MissingInventory(InventoryUnavailable):
    """Redis holds no inventory for this event: there is no such event, or Redis has lost it."""


class EventScripts:
    """Raises InventoryUnavailable, OutcomeUnknown where a script may have run, BacklogFull where Redis is full."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def run(self, name: str, event_keys: Sequence[str], args: Sequence[Argument]) -> list[Any]:
        """A script that needs a trusted inventory on a durable server. Raises MissingInventory where there is none."""
        reply = self.reply(name, event_keys, args, promises=True)
        if reply[0] == b"MISSING":
            raise MissingInventory
        if reply[0] == b"UNTRUSTED":
            raise InventoryUnavailable
        return reply

    def reply(
        self, name: str, event_keys: Sequence[str], args: Sequence[Argument], *, promises: bool = False
    ) -> list[Any]:
        try:
            reply: list[Any] = self._calls.script(name, event_keys, args, promises=promises)
        except RedisOutcomeUnknown as error:
            raise OutcomeUnknown from error
        except OutOfMemoryError as error:
            raise BacklogFull from error
        except (RedisUnavailable, ResponseError) as error:
            raise InventoryUnavailable from error
        return reply

    def ask(self, *words: Argument) -> Any:
        return self.ask_all([words])[0]

    def ask_all(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """The replies, in order; of thousands of events in several round trips, between which others are served."""
        replies: list[Any] = []
        try:
            for first in range(0, len(commands), _ASKED_AT_ONCE):
                replies += self._calls.commands(commands[first : first + _ASKED_AT_ONCE])
        except (RedisUnavailable, ResponseError) as error:
            raise InventoryUnavailable from error
        return replies
