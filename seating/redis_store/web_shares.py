"""What each instance of the web server has counted, kept in Redis while that instance renews it."""

from typing import Final

from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.failures import SharedState

KEPT_MS: Final = 5000


class WebShares:
    """One hash. A share that its instance has not renewed for KEPT_MS is dropped. Raises SharedStateUnavailable."""

    def __init__(self, calls: Calls) -> None:
        self._shared = SharedState(calls)

    def leave(self, instance: str, counts: bytes) -> None:
        """Replace the share of `instance`, even if Redis is full."""
        self._shared.script("web_shares", (keys.WEB_SHARES,), instance, KEPT_MS, counts)

    def of_others(self, instance: str) -> list[bytes]:
        """Return the shares of all instances but this one."""
        found: list[bytes] = self._shared.script("web_shares", (keys.WEB_SHARES,), instance, KEPT_MS)
        return found
