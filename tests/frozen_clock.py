"""Scripts whose clock stands still until a test moves it: it is a key in Redis."""

from functools import cache
from typing import Final

from seating.redis_store.calls import Scripts

CLOCK: Final = "test:clock"
NOON_MS: Final = 1_700_000_000_000

CLOCK_LUA: Final = f"""
local function now_ms()
  return tonumber(redis.call('GET', '{CLOCK}') or {NOON_MS})
end
"""


@cache
def scripts() -> Scripts:
    return Scripts(replaced={"clock": CLOCK_LUA})
