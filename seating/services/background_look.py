"""Look at something periodically in the background, so that callers never wait for it."""

import time
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

import gevent
import structlog
from gevent import Greenlet

from seating.domain.errors import SeatingError

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Seen(NamedTuple, Generic[T]):
    """`value` is what the last look saw, `age_s` ago; None before the first. `silent_s` is how long a look has hung."""

    value: T | None
    age_s: float
    silent_s: float


class BackgroundLook(Generic[T]):
    """Calls `look` in its own greenlet, again `every_s` after it returned. A hanging look delays no other."""

    def __init__(self, look: Callable[[], T], every_s: float) -> None:
        self._look: Final = look
        self._every_s: Final = every_s
        self._value: T | None = None
        self._begun_s = self._seen_s = time.monotonic()
        self._looking = False
        self._greenlet = Greenlet(self._look_forever)

    def start(self) -> None:
        self._greenlet.start()

    def last(self) -> Seen[T]:
        """Return the last value at once."""
        now_s = time.monotonic()
        return Seen(self._value, now_s - self._seen_s, now_s - self._begun_s if self._looking else 0.0)

    def close(self) -> None:
        self._greenlet.kill()

    def _look_forever(self) -> None:
        while True:
            self._begun_s, self._looking = time.monotonic(), True
            try:
                self._value = self._look()
                # The value may be as old as the start of the look.
                self._seen_s = self._begun_s
            except SeatingError:
                pass  # Keep the old value; its age grows.
            except Exception as error:  # noqa: BLE001 - whatever failed, the next look may succeed
                _log.error("background look failed", exc_info=error)
            self._looking = False
            gevent.sleep(self._every_s)
