"""What the processes share beside the sale: asked like anything in Redis, and done without where that can be."""

import re
from collections.abc import Sequence
from typing import Any, Final

import structlog
from redis.exceptions import ResponseError

from seating.domain.errors import SharedStateUnavailable
from seating.redis_store.calls import Argument, Calls
from seating.redis_store.failures import unavailable
from seating.telemetry import metrics

# A value of another type, and what scripts and commands say of values that they cannot work with. Whatever else Redis
# refuses begins with a code in capitals, or has a class of its own.
_DAMAGE: Final = re.compile("WRONGTYPE |[a-z]")

_log = structlog.get_logger(__name__)


class SharedState:
    """`Calls`, but for its one error: SharedStateUnavailable.

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
