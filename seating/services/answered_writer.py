"""Write to SQL what a web process has confirmed, in the background."""

from typing import Final

import gevent
import structlog
from gevent.event import Event
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.errors import RecordUnavailable
from seating.services.answered import Answered

_EVERY_S: Final = 1.0
"""A process that is killed takes along what it confirmed since; each write is a transaction."""

_log = structlog.get_logger(__name__)


class AnsweredWriter:
    """Writes every second, and at once where `hurry` is called."""

    def __init__(self, answered: Answered) -> None:
        self._answered = answered
        self._hurried = Event()

    def start(self) -> None:
        gevent.spawn(self._write_forever)

    def hurry(self) -> None:
        """Write now: Redis may have lost it, and this process may be killed next."""
        self._hurried.set()

    def _write_forever(self) -> None:
        while True:
            self._hurried.wait(_EVERY_S)
            self._hurried.clear()
            try:
                self._answered.flush()
            except (RecordUnavailable, SQLAlchemyError) as error:
                # The greenlet must go on: the next write has what this one could not.
                _log.warning("confirmed positions not recorded", error=str(error.__cause__))
                gevent.sleep(_EVERY_S)  # However often it is hurried.
