"""Counts how purchases and holds end, and how long buyers wait for that."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from flask import request

from seating.domain.errors import SeatingError

ARRIVED_S: Final = "seating.arrived_s"
"""The environ's key for when the request arrived, by `time.perf_counter`. Our web server sets it."""


class CountedOutcome:
    """Calls `count` at the end of its block with the outcome, or the code of the error that was raised, and the time.

    The time is that since the request arrived, in seconds; None if it is not `timed`.
    """

    __slots__ = ("_count", "_timed", "outcome")

    def __init__(self, count: Callable[[str, float | None], object], outcome: str, *, timed: bool = True) -> None:
        self._count = count
        self.outcome = outcome
        self._timed = timed

    def __enter__(self) -> "CountedOutcome":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        now_s = time.perf_counter()
        outcome = self.outcome
        if error is not None:
            outcome = error.code.lower() if isinstance(error, SeatingError) else "failed"
        self._count(outcome, now_s - request.environ.get(ARRIVED_S, now_s) if self._timed else None)
