"""Rate limits shared by all processes: Redis counts, by its own clock."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from seating.domain.errors import RateLimited
from seating.domain.rate_policy import Left, RatePolicy, Verdict
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.failures import SharedState


class RateLimit(NamedTuple):
    """The policy and caller that a request counts for."""

    policy: RatePolicy
    caller: str

    @property
    def key(self) -> str:
        """The key. Windows and buckets store different types, buckets in their own units: a change starts afresh."""
        kind, *numbers = self.policy.arguments
        shared = (kind, *numbers) if kind == "bucket" else (kind,)
        return ":".join(map(str, (*shared, self.caller)))

    def verdict(self, reply: list[Any]) -> Verdict:
        """Return the verdict in a script's reply. Raises RateLimited, which carries it, if the request may not pass."""
        passes, wait_ms, *left = reply
        verdict = Verdict(bool(passes), wait_ms, tuple(map(Left, left[::2], left[1::2])))
        if not passes:
            pairs = zip(verdict.left, self.policy.quotas, strict=True)
            # The quota that takes longest decides when to come back; its text only breaks ties.
            _, _, quota = max((left.reset_ms, str(quota), quota) for left, quota in pairs if not left.requests)
            raise RateLimited(quota, verdict)
        return verdict


class RateLimits:
    """One policy per group of routes; None for no limit."""

    def __init__(self, calls: Calls, policies: Mapping[str, RatePolicy | None]) -> None:
        self._shared = SharedState(calls)
        self._policies = policies

    def of(self, group: str, caller: str) -> RateLimit | None:
        policy = self._policies[group]
        return RateLimit(policy, caller) if policy else None

    def take(self, group: str, limit: RateLimit) -> Verdict:
        """Count a request. Raises RateLimited, or SharedStateUnavailable if Redis does not answer."""
        key = keys.limit(group, limit.key)
        return limit.verdict(self._shared.script("limit_take", (key,), *limit.policy.arguments))
