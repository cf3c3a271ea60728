"""Scripts that raise: each kind is logged once a minute, as its caller says no more than that Redis is unavailable."""

import time
from collections.abc import Callable
from typing import Final

import structlog
from redis.exceptions import OutOfMemoryError, ResponseError

_EVERY_S: Final = 60.0
_LONGEST_MESSAGE: Final = 300

_log = structlog.get_logger(__name__)


class ScriptFailures:
    """Of one connection. A kind is a script and the class of its error."""

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
