"""Primaries of a cluster that do not answer: they must not hold up the calls to the others."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.exceptions import ClusterDownError

from seating.redis_store.calls import RedisUnavailable

SILENCE_S: Final = 1.0


class Silence:
    """Which servers are not to be called now: those that hang.

    One that let calls wait in vain for `SILENCE_S` is not called for as long. Then a call may wait for it again. One
    that refuses connections costs no time, so it is always called: it may be back.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._until_s: dict[str, float] = {}

    def is_of(self, server: str) -> bool:
        return self._clock_s() < self._until_s.get(server, 0.0)

    def note(self, server: str, outcomes: Sequence[Any], took_s: float) -> None:
        """Note the outcomes of calls to a server, and how long they took."""
        if took_s >= SILENCE_S and all(isinstance(outcome, RedisUnavailable) for outcome in outcomes):
            self._until_s[server] = self._clock_s() + SILENCE_S


def of_those_that_answer(outcomes: list[Any]) -> list[Any]:
    """Return the outcomes with None for each call whose server does not answer; as they are if none does."""
    silent = [isinstance(outcome, RedisUnavailable | ClusterDownError) for outcome in outcomes]
    if all(silent):
        return outcomes
    return [None if is_silent else outcome for outcome, is_silent in zip(outcomes, silent, strict=True)]
