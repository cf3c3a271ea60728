"""An LRU cache in Redis that all processes share. Each call is one script."""

import time
from typing import Any, NamedTuple

from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.failures import SharedState

_SWEPT_AT_ONCE = 1000
_TELL_EVERY_S = 0.05


class CacheStats(NamedTuple):
    """Over all processes. `misses` loaded the value, `coalesced` requests waited for another's load."""

    hits: int
    misses: int
    coalesced: int
    evictions: int
    expirations: int
    size: int
    bytes: int
    mean_ms: float

    @property
    def requests(self) -> int:
        return self.hits + self.misses + self.coalesced

    @property
    def hit_ratio(self) -> float:
        return self.hits / self.requests if self.requests else 0.0


class LruCache:
    """Holds at most `capacity` entries and `max_bytes` of keys and values, each for `ttl_s` after it was put.

    Raises SharedStateUnavailable.
    """

    def __init__(self, calls: Calls, name: str, *, capacity: int, ttl_s: float, max_bytes: int) -> None:
        self._shared = SharedState(calls)
        self._keys = keys.cache(name)
        self._max_bytes = max_bytes
        self.name = name
        self.capacity = capacity
        self.ttl_s = ttl_s
        self.size_last_known = 0
        self._answers = 0
        self._answers_us = 0
        self._told_at = 0.0

    def get(self, key: str, *, counted: bool = True) -> bytes | None:
        """Return the value and mark it as most recently used; None if absent. With `counted`, count a hit."""
        # Times of answers travel with a call that is made anyway, but not with each: two more numbers to add.
        told = self._untold() if time.monotonic() > self._told_at + _TELL_EVERY_S else (0, 0)
        self.size_last_known, *found = self._script("get", key, int(counted), *told)
        return found[0] if found else None

    def put(self, key: str, value: bytes, *, ttl_s: float | None = None, if_absent: bool = False) -> bool:
        """Store the value; return False if it exceeds the whole cache, or if `if_absent` and the key exists."""
        lifetime_ms = round((self.ttl_s if ttl_s is None else ttl_s) * 1000)
        mode = "absent" if if_absent else "always"
        kept, self.size_last_known = self._script("put", key, value, lifetime_ms, self.capacity, self._max_bytes, mode)
        return bool(kept)

    def clear(self, *, reset_counters: bool = False) -> int:
        """Remove all entries and return how many there were."""
        removed: int = self._script("clear", int(reset_counters))
        self.size_last_known = 0
        return removed

    def sweep(self) -> int:
        """Remove expired entries and return how many."""
        swept: int = self._script("sweep", _SWEPT_AT_ONCE)
        return swept

    def count(self, *, hits: int = 0, misses: int = 0, coalesced: int = 0) -> None:
        """Count requests whose outcome `get` did not count."""
        counters = self._keys[3]
        told = (("accesses", hits), ("misses", misses), ("coalesced", coalesced))
        self._shared.commands(*(("HINCRBY", counters, name, number) for name, number in told if number))

    def answered(self, seconds: float) -> None:
        """Note how long a request took. A later `get` sends it along, which saves a call."""
        self._answers += 1
        self._answers_us += round(seconds * 1_000_000)

    def stats(self) -> CacheStats:
        _, order, _, counters = self._keys
        answers, answers_us = self._untold()
        *_, size, fields = self._shared.commands(
            ("HINCRBY", counters, "answers", answers),
            ("HINCRBY", counters, "answers_us", answers_us),
            ("ZCARD", order),
            ("HGETALL", counters),
        )
        self.size_last_known = size
        kept = {name.decode(): int(value) for name, value in zip(fields[::2], fields[1::2], strict=True)}
        return CacheStats(
            # `accesses` also numbers the order of use, so puts and look-ups that are nobody's request count, too.
            hits=kept.get("accesses", 0) - kept.get("unasked", 0),
            misses=kept.get("misses", 0),
            coalesced=kept.get("coalesced", 0),
            evictions=kept.get("evictions", 0),
            expirations=kept.get("expirations", 0),
            size=size,
            bytes=kept.get("bytes", 0),
            mean_ms=kept["answers_us"] / kept["answers"] / 1000 if kept["answers"] else 0.0,
        )

    def _untold(self) -> tuple[int, int]:
        answers, answers_us = self._answers, self._answers_us
        self._answers = self._answers_us = 0
        self._told_at = time.monotonic()
        return answers, answers_us

    def _script(self, verb: str, *args: str | bytes | int) -> Any:
        return self._shared.script(f"cache_{verb}", self._keys, *args)
