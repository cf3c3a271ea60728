"""All buyers at once: every connection is open before the first request goes out."""

import resource
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import gevent
from gevent.event import Event
from gevent.pool import Pool

from seating.onsale.buyers import Buyer
from seating.onsale.sale import Sale

_CONNECTING_AT_ONCE: Final = 64
_OTHER_FILES: Final = 64

Progress = Callable[[], None]
"""Called once for each buyer, or purchase, that is done."""


class Rush(NamedTuple):
    """From the release to the last answer, on the performance counter.

    `client_cpu_s` is what this process itself computed meanwhile.
    """

    started_at: float
    ended_at: float
    client_cpu_s: float

    @property
    def duration_s(self) -> float:
        return self.ended_at - self.started_at


def gather(sale: Sale, count: int, repeating_percent: int) -> list[Buyer]:
    """`count` buyers, of whom that share, spread evenly, sends its request twice."""
    return [Buyer(sale, repeats=_steps(i + 1, repeating_percent) > _steps(i, repeating_percent)) for i in range(count)]


def connect(buyers: Sequence[Buyer], connected: Progress) -> None:
    """Opens a connection for each. One that the server closes while it waits for the others opens again by itself."""
    for _ in Pool(_CONNECTING_AT_ONCE).imap_unordered(Buyer.connect, buyers):
        connected()


def release(buyers: Sequence[Buyer], answered: Progress) -> Rush:
    """Lets all of them buy in one moment, and waits for the last answer."""
    start = Event()
    greenlets = [gevent.spawn(buyer.buy, start) for buyer in buyers]
    gevent.idle()  # Each of them has come to the start line.
    cpu_before_s = time.process_time()
    started_at = time.perf_counter()
    start.set()
    for greenlet in gevent.iwait(greenlets):
        greenlet.get()
        answered()
    return Rush(started_at, time.perf_counter(), time.process_time() - cpu_before_s)


def allow_connections(count: int) -> bool:
    """Raises this process's limit of open files as far as needed; whether the system permits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + _OTHER_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        return False
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return True


def _steps(buyers: int, percent: int) -> int:
    """Of the first `buyers`, how many repeat."""
    return buyers * percent // 100
