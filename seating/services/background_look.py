"""Looking at something every now and then, so that those who ask about it never wait for it."""

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
    """`value` was looked at `age_s` ago, None if it never was; the look that goes on has lasted for `silent_s`."""

    value: T | None
    age_s: float
    silent_s: float


class BackgroundLook(Generic[T]):
    """Calls `look` in a greenlet, and again `every_s` after it has returned. One that hangs delays no other."""

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
        """Return at once."""
        now_s = time.monotonic()
        return Seen(self._value, now_s - self._seen_s, now_s - self._begun_s if self._looking else 0.0)

    def close(self) -> None:
        self._greenlet.kill()

    def _look_forever(self) -> None:
        while True:
            self._begun_s, self._looking = time.monotonic(), True
            try:
                self._value = self._look()
                # As old as what it saw may be.
                self._seen_s = self._begun_s
            except SeatingError:
                pass  # There was nothing to be seen; what was seen before grows old.
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may go well
                _log.error("background look failed", exc_info=error)
            self._looking = False
            gevent.sleep(self._every_s)
