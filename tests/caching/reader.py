"""What a process reads through."""

from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.lru_cache import LruCache
from seating.redis_store.single_flight import SingleFlight
from seating.services.coalescing import Coalescing

LEASE_S = 0.6


def reader(calls: AutoPipeline, *, lease_s: float = LEASE_S, flights: type[SingleFlight] = SingleFlight) -> Coalescing:
    cache = LruCache(calls, "test", capacity=100, ttl_s=60, max_bytes=100_000)
    return Coalescing(cache, flights(calls, "test", lease_s=lease_s))
