"""A cache that all processes share: what was used longest ago goes first, in Redis, one script a call."""

from typing import Any, NamedTuple

from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.shared_state import SharedState

_SWEPT_AT_ONCE = 1000


class CacheStats(NamedTuple):
    """Over all processes. `misses` were loaded, `coalesced` waited for somebody else's load."""

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
    """At most `capacity` entries and `max_bytes` of keys and values, each for `ttl_s` from when it was put.

    Raises SharedStateUnavailable where Redis does not answer.
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

    def get(self, key: str, *, counted: bool = True) -> bytes | None:
        """The value, which is now the one used last. A hit is counted unless nobody asked for it."""
        answers, answers_us = self._answers, self._answers_us
        self._answers = self._answers_us = 0
        self.size_last_known, *found = self._script("get", key, int(counted), answers, answers_us)
        return found[0] if found else None

    def put(self, key: str, value: bytes, *, ttl_s: float | None = None, if_absent: bool = False) -> bool:
        """Whether it is kept; it is not if it is larger than the whole cache, or absent was asked and it is not."""
        lifetime_ms = round((self.ttl_s if ttl_s is None else ttl_s) * 1000)
        mode = "absent" if if_absent else "always"
        kept, self.size_last_known = self._script("put", key, value, lifetime_ms, self.capacity, self._max_bytes, mode)
        return bool(kept)

    def delete(self, key: str) -> bool:
        """Whether it was kept."""
        return bool(self._script("delete", key))

    def clear(self, *, reset_counters: bool = False) -> int:
        """How many entries there were."""
        removed: int = self._script("clear", int(reset_counters))
        self.size_last_known = 0
        return removed

    def sweep(self) -> int:
        """Drops what is due and says how many."""
        swept: int = self._script("sweep", _SWEPT_AT_ONCE)
        return swept

    def count(self, *, misses: int, coalesced: int) -> None:
        """What became of requests that found nothing."""
        counters = self._keys[3]
        self._shared.commands(("HINCRBY", counters, "misses", misses), ("HINCRBY", counters, "coalesced", coalesced))

    def answered(self, seconds: float) -> None:
        """How long a request took, counted with the next look: it costs no call of its own."""
        self._answers += 1
        self._answers_us += round(seconds * 1_000_000)

    def stats(self) -> CacheStats:
        _, order, _, counters = self._keys
        answers, answers_us = self._answers, self._answers_us
        self._answers = self._answers_us = 0
        *_, size, fields = self._shared.commands(
            ("HINCRBY", counters, "answers", answers),
            ("HINCRBY", counters, "answers_us", answers_us),
            ("ZCARD", order),
            ("HGETALL", counters),
        )
        kept = {name.decode(): int(value) for name, value in zip(fields[::2], fields[1::2], strict=True)}
        self.size_last_known = size
        return CacheStats(
            **{
                name: kept.get(name, 0) for name in ("hits", "misses", "coalesced", "evictions", "expirations", "bytes")
            },
            size=size,
            mean_ms=kept["answers_us"] / kept["answers"] / 1000 if kept["answers"] else 0.0,
        )

    def _script(self, verb: str, *args: str | bytes | int) -> Any:
        return self._shared.script(f"cache_{verb}", self._keys, *args)
