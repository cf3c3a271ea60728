"""Runs work that would block all greenlets of a process in threads."""

from collections.abc import Callable
from typing import Any, Final

from gevent import monkey
from gevent.threadpool import ThreadPool

from seating.storage.database import Offload, in_this_thread

_THREADS: Final = 10


def offload_of_this_process() -> Offload:
    """Return a function that runs work in a thread where the process has greenlets; only the calling one waits."""
    if not monkey.is_module_patched("socket"):
        return in_this_thread
    # Not the hub's, in which the resolver runs: look-ups may occupy all of them for as long as DNS hangs.
    pool = ThreadPool(_THREADS)

    def offload(work: Callable[[], Any]) -> Any:
        result, error = pool.apply(_outcome_of, (work,))
        if error is not None:
            raise error
        return result

    return offload


def _outcome_of(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Return the result or the error of `work`: gevent prints what a thread raises, including personal data."""
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001 - it is raised again, where `work` is waited for
        return None, error
