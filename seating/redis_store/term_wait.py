"""Waiting for the term that begins after an event's slot has moved: one greenlet looks for each event."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from seating.memo import Memo
from seating.redis_store.failures import FAILURES
from seating.redis_store.slot_map import slot_of

TERM_WITHIN_S: Final = 10.0
# What was doubted longer ago belongs to an earlier move; a later one is waited for anew.
FORGOTTEN_AFTER_S: Final = 2 * TERM_WITHIN_S
_LOOK_EVERY_S: Final = 0.1


class _Doubt(NamedTuple):
    """The server of a slot whose inventory named another, and when that was seen first and last."""

    server: str
    since_s: float
    last_s: float


class TermWait:
    """`server_of` a key is its URL, `look` asks whether it may sell, `doubt` the server that the inventory names."""

    def __init__(
        self,
        server_of: Callable[[str], str],
        look: Callable[[str], list[Any]],
        doubt: Callable[[str, bytes], object],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server_of = server_of
        self._look = look
        self._doubt = doubt
        self._clock_s = clock_s
        self._doubts: dict[int, _Doubt] = {}
        self._waits = Memo[str, bool](max_weight=0)

    def until_trusted(self, key: str) -> bool:
        """Wait until the inventory of this key may sell; False if that takes longer than `TERM_WITHIN_S`.

        Counted from the first doubt of its server: buyers do not wait where no term begins.
        """
        return self._waits.get(key, partial(self._wait, key))

    def _wait(self, key: str) -> bool:
        while self._is_early(key):
            time.sleep(_LOOK_EVERY_S)
            try:
                found = self._look(key)
            except FAILURES:
                return True  # The call that waits is sent again, and finds out why.
            if not found or found[1]:
                return True
            self._doubt(key, found[3] or b"")
        return False

    def _is_early(self, key: str) -> bool:
        # By slot: all events in it move together, and there are only so many slots.
        slot, now_s = slot_of(key), self._clock_s()
        doubt = _Doubt(self._server_of(key), now_s, now_s)
        last = self._doubts.get(slot, doubt)
        if last.server == doubt.server and now_s - last.last_s <= FORGOTTEN_AFTER_S:
            doubt = doubt._replace(since_s=last.since_s)
        self._doubts[slot] = doubt
        return now_s - doubt.since_s <= TERM_WITHIN_S
