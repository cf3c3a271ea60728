"""A clock for the scripts that only the test moves."""

import redis

from seating.redis_store.calls import Scripts

_KEY = "test:clock"
START_MS = 1_800_000_000_000


class MovedClock:
    """`scripts` read this clock, which begins at `START_MS`, instead of Redis's own."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self.scripts = Scripts(
            replaced={"clock": f"local function now_ms() return tonumber(redis.call('GET', '{_KEY}')) end\n"}
        )
        self.set(START_MS)

    def set(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self._client.set(_KEY, now_ms)

    def move(self, by_ms: int) -> None:
        self.set(self.now_ms + by_ms)
