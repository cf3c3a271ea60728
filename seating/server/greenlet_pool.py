"""Greenlets that serve one connection after another: waking one costs a quarter of creating one."""

from collections.abc import Callable
from typing import Any, Final

import gevent
from gevent import get_hub
from gevent.event import Event
from gevent.hub import Waiter

_MOST_SPARE: Final = 128
"""How many idle greenlets to keep, at about 20 KB each."""

Arguments = tuple[Any, ...]


class GreenletPool:
    """Calls `work` in greenlets, `most` at a time. Like gevent's pool, but reuses greenlets."""

    def __init__(self, work: Callable[..., None], most: int) -> None:
        self._work = work
        self._most = most
        self._busy = 0
        self._room = Event()
        self._room.set()
        self._spare: list[Waiter[Arguments]] = []
        self._all: set[gevent.Greenlet[..., None]] = set()

    def __len__(self) -> int:
        """Return how many greenlets are busy."""
        return self._busy

    def free_count(self) -> int:
        return self._most - self._busy

    def wait_available(self) -> None:
        """Wait until `free_count` is not 0."""
        self._room.wait()

    def spawn(self, *arguments: Any) -> None:
        """Call `work` with `arguments` soon. Call this only while `free_count` is not 0."""
        self._busy += 1
        if not self.free_count():
            self._room.clear()
        if self._spare:
            # Through the loop, because only the hub may switch to a greenlet that waits in a Waiter.
            get_hub().loop.run_callback(self._spare.pop().switch, arguments)
        else:
            greenlet = gevent.spawn(self._run, arguments)
            self._all.add(greenlet)
            greenlet.rawlink(self._all.discard)

    def kill(self, timeout: float) -> None:
        gevent.killall(list(self._all), timeout=timeout)

    def _run(self, arguments: Arguments) -> None:
        waiter: Waiter[Arguments] = Waiter()
        while True:
            try:
                self._work(*arguments)
            finally:
                self._busy -= 1
                self._room.set()
            if len(self._spare) >= _MOST_SPARE:
                return
            self._spare.append(waiter)
            del arguments  # An idle greenlet must not keep its last connection alive.
            arguments = waiter.get()
            waiter.clear()
