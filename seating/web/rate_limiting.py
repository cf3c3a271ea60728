"""Rate limits on groups of routes, a policy each.

The fields of the answers are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

from collections.abc import Callable
from functools import lru_cache, wraps

import structlog
from flask import Flask, g, request
from werkzeug.wrappers import Response

from seating.domain.errors import SharedStateUnavailable
from seating.domain.rate_policy import RatePolicy, Verdict
from seating.redis_store.rate_limits import RateLimit
from seating.telemetry import metrics
from seating.web.client_address import caller_address
from seating.web.services import services, settings

View = Callable[..., Response]

_log = structlog.get_logger(__name__)


def register(app: Flask) -> None:
    app.after_request(_tell)


def limited(group: str) -> Callable[[View], View]:
    """For routes that are refused before anything else is looked at. They go on unlimited while Redis is away."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(**arguments: object) -> Response:
            limit = _begin(group)
            if limit:
                try:
                    services().rate_limits.take(group, limit)
                except SharedStateUnavailable as error:
                    # These routes have SQL to answer from; better an answer too many than none.
                    metrics.count_fail_open(f"limit {group}")
                    _log.warning("rate limit not decided", group=group, error=str(error.__cause__))
            return view(**arguments)

        return guarded

    return decorate


def measured(group: str) -> Callable[[View], View]:
    """For routes whose own script takes `limit_of_request()`: no round trip more, and nothing passes without Redis."""

    def decorate(view: View) -> View:
        @wraps(view)
        def begun(**arguments: object) -> Response:
            _begin(group)
            return view(**arguments)

        return begun

    return decorate


def limit_of_request() -> RateLimit | None:
    limit: RateLimit | None = g.get("rate_limit")
    return limit


def _begin(group: str) -> RateLimit | None:
    limit = services().rate_limits.of(group, caller_address(request, settings().trusted_proxies))
    g.rate_limit = limit
    return limit


def _tell(response: Response) -> Response:
    limit = limit_of_request()
    if limit:
        response.headers["RateLimit-Policy"] = _policy_field(limit.policy)
        if limit.verdict:
            response.headers["RateLimit"] = _field(limit.policy, limit.verdict)
    return response


@lru_cache(maxsize=16)
def _policy_field(policy: RatePolicy) -> str:
    return ", ".join(f'"{quota.name}";q={quota.limit};w={-(-quota.window_ms // 1000)}' for quota in policy.quotas)


def _field(policy: RatePolicy, verdict: Verdict) -> str:
    """`r` requests would pass within the next `t` seconds; then there will be more."""
    pairs = zip(policy.quotas, verdict.left, strict=True)
    return ", ".join(f'"{quota.name}";r={left.requests};t={-(-left.reset_ms // 1000)}' for quota, left in pairs)
