"""What the processes share beside the sale: asked like anything in Redis, and done without where that can be."""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from seating.domain.errors import SharedStateUnavailable
from seating.redis_store.calls import Argument, Calls, RedisUnavailable


class SharedState:
    """`Calls`, but for its one error: SharedStateUnavailable."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def script(self, name: str, keys: Sequence[str], *args: Argument) -> Any:
        try:
            return self._calls.script(name, keys, args)
        except (RedisUnavailable, ResponseError) as error:
            raise SharedStateUnavailable from error

    def commands(self, *many: Sequence[Argument]) -> list[Any]:
        try:
            return self._calls.commands(many)
        except (RedisUnavailable, ResponseError) as error:
            raise SharedStateUnavailable from error
