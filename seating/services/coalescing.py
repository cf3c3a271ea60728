"""Read-through caching with request coalescing: a crowd that misses the cache costs one fetch.

There are two levels. Within a process, greenlets wait for a leader; across processes, leaders wait for the process
that holds the lease.
"""

import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import structlog

from seating.domain.errors import LoadFailed, SharedStateUnavailable
from seating.memo import Memo
from seating.redis_store.lru_cache import LruCache
from seating.redis_store.single_flight import Lease, SingleFlight
from seating.telemetry import metrics

Load = Callable[[], bytes | None]

_NOTHING = b""
_VALUE = b"+"

_log = structlog.get_logger(__name__)


class Source(StrEnum):
    """Where a value came from: the cache, a fetch for this request, or the fetch of another request."""

    HIT = "HIT"
    MISS = "MISS"
    COALESCED = "COALESCED"


class Found(NamedTuple):
    """`value` is None if the key has no value."""

    value: bytes | None
    source: Source


class Coalescing:
    """Values are never empty. A missing value is cached for `nothing_ttl_s`; errors are not cached.

    Without Redis, each process fetches for itself. Nobody waits longer than `patience_s` for another process. Within
    the process, followers wait as long as their leader does, so `load` must have a time limit.
    """

    def __init__(
        self, cache: LruCache, flights: SingleFlight, *, nothing_ttl_s: float = 1.0, patience_s: float = 20.0
    ) -> None:
        self.cache = cache
        self._flights = flights
        self._nothing_ttl_s = nothing_ttl_s
        self._patience_s = patience_s
        self._in_this_process = Memo[str, Found](max_weight=0)  # The cache in Redis is the one that keeps.
        self._asking: Counter[str] = Counter()

    def get(self, key: str, load: Load) -> Found:
        """Return the value of `key`, calling `load` on a miss. Raises what `load` raises, or LoadFailed."""
        started = time.perf_counter()
        found = self._ask(key, load)
        self.cache.answered(time.perf_counter() - started)
        return found

    def put(self, key: str, value: bytes) -> None:
        """Cache a value that has just been written."""
        self._keep(key, value, if_absent=False)

    def _ask(self, key: str, load: Load) -> Found:
        """Coalesce within this process. The leader counts all its followers in one call."""
        leads = False

        def lead() -> Found:
            nonlocal leads
            leads = True
            value = self._cached(key)
            source = Source.HIT
            if value is None:
                value, source = self._across(key, load)
            return Found(value or None, source)

        self._asking[key] += 1
        source = Source.MISS
        try:
            found = self._in_this_process.get(key, lead)
            source = found.source
        finally:
            if leads:
                self._count(source, followers=self._asking.pop(key, 1) - 1)
        return found if leads or source is Source.HIT else Found(found.value, Source.COALESCED)

    def _cached(self, key: str) -> bytes | None:
        try:
            return self.cache.get(key)
        except SharedStateUnavailable as error:
            self._go_on_without(error)
            return None

    def _across(self, key: str, load: Load) -> tuple[bytes, Source]:
        """Coalesce across processes."""
        deadline = time.monotonic() + self._patience_s
        try:
            while True:
                lease = self._flights.begin(key)
                if isinstance(lease, Lease):
                    return self._lead(lease, load)
                outcome = self._flights.follow(key, lease, deadline)
                if outcome is not None:
                    return _unpack(outcome), Source.COALESCED
        except SharedStateUnavailable as error:
            self._go_on_without(error)
            return load() or _NOTHING, Source.MISS

    def _lead(self, lease: Lease, load: Load) -> tuple[bytes, Source]:
        # Another process may have filled the cache between our miss and our lease.
        value = self.cache.get(lease.key, counted=False)
        if value is not None:
            self._land(lease, _VALUE + value)
            return value, Source.COALESCED
        try:
            with self._flights.renewing(lease):
                value = load() or _NOTHING
        except Exception:
            self._land(lease)  # No result: the next process fetches for itself.
            raise
        # Without the lease, another process may have fetched a newer value by now.
        if lease.is_held:
            # A value that was put meanwhile is newer than ours.
            self._keep(lease.key, value, if_absent=True)
        # After the put: a request between the two would find neither value nor flight, and fetch again.
        self._land(lease, _VALUE + value)
        return value, Source.MISS

    def _keep(self, key: str, value: bytes, *, if_absent: bool) -> None:
        try:
            self.cache.put(key, value, ttl_s=None if value else self._nothing_ttl_s, if_absent=if_absent)
        except SharedStateUnavailable as error:
            self._go_on_without(error)

    def _land(self, lease: Lease, outcome: bytes = b"") -> None:
        try:
            self._flights.land(lease, outcome)
        except SharedStateUnavailable as error:
            self._go_on_without(error)

    def _count(self, source: Source, followers: int) -> None:
        """Count the requests. `get` has already counted the leader's hit."""
        try:
            match source:
                case Source.HIT if followers:
                    self.cache.count(hits=followers)
                case Source.MISS:
                    self.cache.count(misses=1, coalesced=followers)
                case Source.COALESCED:
                    self.cache.count(coalesced=1 + followers)
        except SharedStateUnavailable as error:
            self._go_on_without(error)

    def _go_on_without(self, error: SharedStateUnavailable) -> None:
        # Without the cache, responses are slower but still correct.
        metrics.DONE_WITHOUT.labels("cache").inc()
        _log.warning("cache unavailable", cache=self.cache.name, error=str(error.__cause__))


def _unpack(outcome: bytes) -> bytes:
    if not outcome.startswith(_VALUE):
        raise LoadFailed  # Not a result that one of our processes stored.
    return outcome[1:]
