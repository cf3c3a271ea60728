"""What it means for a caller that Redis does not answer, or refuses."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import structlog
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from seating.domain.errors import (
    BacklogFull,
    InventoryUnavailable,
    OutcomeUnknown,
    SeatingError,
    SharedStateUnavailable,
)
from seating.redis_store.calls import Argument, Calls, RedisOutcomeUnknown, RedisUnavailable
from seating.telemetry import metrics

FAILURES: Final = (RedisUnavailable, RedisError)

_EVERY_S: Final = 60.0
_LONGEST_MESSAGE: Final = 300

# A value of another type, and what scripts and commands say of values that they cannot work with. Whatever else Redis
# refuses begins with a code in capitals, or has a class of its own.
_DAMAGE: Final = re.compile("WRONGTYPE |[a-z]")

_log = structlog.get_logger(__name__)


def meaning(error: Exception) -> SeatingError:
    """What a failed change means: OutcomeUnknown, BacklogFull, or InventoryUnavailable, where nothing has changed."""
    if not isinstance(error, RedisUnavailable | ResponseError) or isinstance(error, RedisOutcomeUnknown):
        return OutcomeUnknown()
    return BacklogFull() if isinstance(error, OutOfMemoryError) else InventoryUnavailable()


@contextmanager
def unavailable(as_error: type[SeatingError] = InventoryUnavailable) -> Iterator[None]:
    """Raises what fails inside, where no change can be lost, as `as_error`."""
    try:
        yield
    except FAILURES as error:
        raise as_error from error


class ScriptFailures:
    """Scripts of one connection that raise: each kind is logged once a minute, as callers only hear that Redis is
    unavailable. A kind is a script and the class of its error.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._logged_at_s: dict[tuple[str, str], float] = {}

    def note(self, script: str, error: ResponseError) -> None:
        """Logs it. A full Redis is no failure of a script: it refuses before the script runs."""
        if isinstance(error, OutOfMemoryError):
            return
        kind, now_s = (script, type(error).__name__), self._clock_s()
        if now_s - self._logged_at_s.get(kind, float("-inf")) >= _EVERY_S:
            self._logged_at_s[kind] = now_s
            _log.error("script failed", script=script, error=str(error)[:_LONGEST_MESSAGE])


class SharedState:
    """What the processes share beside the sale: as `Calls`, but for its one error, SharedStateUnavailable.

    None of this state is worth an outage: where a script meets a value that it cannot read, its keys are dropped and it
    is run again.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def script(self, name: str, keys: Sequence[str], *args: Argument) -> Any:
        with unavailable(SharedStateUnavailable):
            try:
                return self._calls.script(name, keys, args)
            except ResponseError as error:
                if not _is_damage(error):
                    raise
                metrics.count_dropped(name)
                _log.error("shared state dropped", script=name, keys=keys, error=str(error))
                self._calls.command("UNLINK", *keys)
                return self._calls.script(name, keys, args)

    def commands(self, *many: Sequence[Argument]) -> list[Any]:
        with unavailable(SharedStateUnavailable):
            return self._calls.commands(many)


def _is_damage(error: ResponseError) -> bool:
    return type(error) is ResponseError and _DAMAGE.match(str(error)) is not None
