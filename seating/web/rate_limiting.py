"""Rate limits on groups of routes, a policy each.

The fields of the answers are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

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

# Reading through Flask's proxy takes four times as long.
_of_request: Callable[[], Any] = g._get_current_object

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
    limit: RateLimit | None = _of_request().get("rate_limit")
    return limit


def _begin(group: str) -> RateLimit | None:
    limit = services().rate_limits.of(group, caller_address(request, settings().trusted_proxies))
    _of_request().rate_limit = limit
    return limit


def _tell(response: Response) -> Response:
    limit = limit_of_request()
    if limit:
        names, policy_field = _fields(limit.policy)
        response.headers.add("RateLimit-Policy", policy_field)
        if limit.verdict:
            response.headers.add("RateLimit", _field(names, limit.verdict))
    return response


@lru_cache(maxsize=16)
def _fields(policy: RatePolicy) -> tuple[list[str], str]:
    """The names of the quotas, and the field that tells what they are."""
    names = [quota.name for quota in policy.quotas]
    members = [f'"{quota.name}";q={quota.limit};w={-(-quota.window_ms // 1000)}' for quota in policy.quotas]
    return names, ", ".join(members)


def _field(names: list[str], verdict: Verdict) -> str:
    """`r` requests would pass within the next `t` seconds; then there will be more."""
    pairs = zip(names, verdict.left, strict=True)
    return ", ".join([f'"{name}";r={requests};t={-(-reset_ms // 1000)}' for name, (requests, reset_ms) in pairs])
