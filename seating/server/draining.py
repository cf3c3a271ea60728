"""The time before a web instance stops, in which load balancers learn that it will."""

import mmap
import signal
from typing import Any

import gevent
import structlog

_log = structlog.get_logger(__name__)


class Draining:
    """Whether the instance drains: in shared memory, set by gunicorn's master. Created before it forks."""

    def __init__(self) -> None:
        self._flag = mmap.mmap(-1, 1)

    def has_begun(self) -> bool:
        return self._flag[0] != 0

    def before_stop(self, master: Any, drain_s: float) -> None:
        """Let the first SIGTERM begin to drain and end that `drain_s` later; the next one stops the master at once."""
        stop = master.handle_term

        def handle_term() -> None:
            ends = not drain_s or self.has_begun()
            self._flag[0] = 1
            if ends:
                # gunicorn's handler raises StopIteration, so nothing below runs.
                stop()
            _log.info("web server drains", seconds=drain_s)
            # Not a sleep, which would stop the master's loop: it still has to watch its workers.
            gevent.spawn_later(drain_s, master.signal, signal.SIGTERM, None)

        master.handle_term = handle_term
