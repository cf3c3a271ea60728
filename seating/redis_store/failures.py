"""Translates Redis failures into domain errors."""

import re
from collections.abc import Iterator, Sequence
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

# A value of the wrong type, or the message of a script or command that cannot use a value. All other refusals of Redis
# begin with a code in capitals or have a class of their own.
_DAMAGE: Final = re.compile("WRONGTYPE |[a-z]")

_log = structlog.get_logger(__name__)


def meaning(error: Exception) -> SeatingError:
    """Return what a failed change means: OutcomeUnknown, or BacklogFull or InventoryUnavailable if nothing changed."""
    if not isinstance(error, RedisUnavailable | ResponseError) or isinstance(error, RedisOutcomeUnknown):
        return OutcomeUnknown()
    # A script that raises has changed nothing: only its first write can fail.
    return BacklogFull() if isinstance(error, OutOfMemoryError) else InventoryUnavailable()


@contextmanager
def unavailable(as_error: type[SeatingError] = InventoryUnavailable) -> Iterator[None]:
    """Raise failures inside the block as `as_error`. Only for calls that cannot lose a change."""
    try:
        yield
    except FAILURES as error:
        raise as_error from error


class SharedState:
    """State that processes share in addition to the sale. Like `Calls`, but raises only SharedStateUnavailable.

    None of this state is worth an outage: if a script finds an unreadable value, its keys are dropped and it runs
    again.
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
                metrics.DROPPED.labels(name).inc()
                _log.error("shared state dropped", script=name, keys=keys, error=str(error))
                self._calls.command("UNLINK", *keys)
                return self._calls.script(name, keys, args)

    def commands(self, *many: Sequence[Argument]) -> list[Any]:
        with unavailable(SharedStateUnavailable):
            return self._calls.commands(many)


def _is_damage(error: ResponseError) -> bool:
    return type(error) is ResponseError and _DAMAGE.match(str(error)) is not None
