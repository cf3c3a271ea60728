"""Caching with request coalescing: a crowd that asks for one value costs one load."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar, cast

from gevent.event import AsyncResult

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Abandoned(Exception):
    """The load ended without an outcome: its greenlet was killed, or hit a deadline of its own."""


class _Kept(NamedTuple, Generic[V]):
    value: V
    version: Hashable
    weight: int
    until: float


class Memo(Generic[K, V]):
    """Values by key, loaded on demand, for the greenlets of one thread.

    Keeps values up to a total of `max_weight`, dropping the least recently used, each for `max_age_s` after its load.
    With `max_weight=0` nothing is kept; only concurrent callers share a load.

    A value may have a version. Each key has one value, which is replaced when another version is requested.

    Errors are never kept. To cache an absence, load a value that represents it.
    """

    def __init__(
        self, *, max_weight: int, weigh: Callable[[V], int] = lambda _: 1, max_age_s: float = math.inf
    ) -> None:
        self._max_weight = max_weight
        self._weigh = weigh
        self._max_age_s = max_age_s
        self._weight = 0
        self._kept: OrderedDict[K, _Kept[V]] = OrderedDict()
        self._loading: dict[tuple[K, Hashable], AsyncResult[V]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K, load: Callable[[], V], version: Hashable = None) -> V:
        """Return the kept value, or that of `load`. What `load` raises is raised for every caller that waited.

        `load` must have a time limit. If its greenlet is killed, one of the waiting callers loads instead.
        """
        while True:
            kept = self._kept.get(key)
            if kept is not None and kept.version == version and time.monotonic() < kept.until:
                self._kept.move_to_end(key)
                return kept.value
            loading = self._loading.get((key, version))
            if loading is None:
                return self._load(key, load, version)
            try:
                return cast(V, loading.get())
            except _Abandoned:
                continue

    def _load(self, key: K, load: Callable[[], V], version: Hashable) -> V:
        outcome = self._loading[key, version] = AsyncResult()
        try:
            value = load()
            self._keep(key, value, version)
        # GreenletExit and gevent's Timeout are no Exception: they end this load, but not those that wait for it.
        except BaseException as error:
            del self._loading[key, version]
            outcome.set_exception(error if isinstance(error, Exception) else _Abandoned())
            raise
        del self._loading[key, version]
        outcome.set(value)
        return value

    def _keep(self, key: K, value: V, version: Hashable) -> None:
        self._drop(key)
        weight = self._weigh(value)
        # Kept, it would push out all others, and then itself.
        if weight > self._max_weight:
            return
        self._kept[key] = _Kept(value, version, weight, time.monotonic() + self._max_age_s)
        self._weight += weight
        while self._weight > self._max_weight:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: K) -> None:
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._weight -= dropped.weight


class FreshLook(Generic[K, V]):
    """One look at a time for each key, for the greenlets of one thread. Callers that arrive meanwhile share the next.

    So no caller gets a value read before its call, and a crowd costs two looks instead of one each. Nothing is kept.
    """

    def __init__(self) -> None:
        self._looking: dict[K, AsyncResult[V]] = {}
        self._next: dict[K, AsyncResult[V]] = {}

    def get(self, key: K, look: Callable[[], V]) -> V:
        """Return the result of a `look` that begins from now on. What it raises is raised for every caller sharing it.

        `look` must have a time limit. If its greenlet is killed, the waiting callers share another look.
        """
        while True:
            shared = self._next.get(key)
            if shared is None:
                return self._look(key, look)
            try:
                return cast(V, shared.get())
            except _Abandoned:
                continue

    def _look(self, key: K, look: Callable[[], V]) -> V:
        outcome: AsyncResult[V] = AsyncResult()
        try:
            self._wait_turn(key, outcome)
            value = look()
        except BaseException as error:
            outcome.set_exception(error if isinstance(error, Exception) else _Abandoned())
            raise
        else:
            outcome.set(value)
            return value
        finally:
            # A look that was killed while it waited is in `_next`; `_looking` then has another one, which must stay.
            for outcomes in (self._next, self._looking):
                if outcomes.get(key) is outcome:
                    del outcomes[key]

    def _wait_turn(self, key: K, outcome: "AsyncResult[V]") -> None:
        """Gather the callers that arrive before the look begins; later ones have to share the next."""
        before = self._looking.get(key)
        if before is not None:
            self._next[key] = outcome
            # Not get(): how the look before ended is no matter of those who share this one.
            before.wait()
            del self._next[key]
        self._looking[key] = outcome
