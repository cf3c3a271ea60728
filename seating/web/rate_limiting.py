"""Rate limits on groups of routes, one policy each.

The response headers follow draft-ietf-httpapi-ratelimit-headers-10.
"""

from collections.abc import Callable
from functools import lru_cache, wraps

import structlog
from flask import Response, current_app

from seating.domain.errors import SeatingError, SharedStateUnavailable
from seating.domain.rate_policy import RatePolicy, Verdict
from seating.redis_store.rate_limits import RateLimit
from seating.telemetry import metrics
from seating.web.callers import caller, client_address
from seating.web.services import services

Judged = tuple[Response, Verdict | None]
"""A response, and the rate limit's verdict on its request; None if it was not checked."""

_log = structlog.get_logger(__name__)


def limited(group: str) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """For routes that check the limit before anything else. They work without a limit while Redis is down."""

    def decorate(view: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(view)
        def guarded(**arguments: object) -> Response:
            limit = _limit(group)
            if limit is None:
                return view(**arguments)
            verdict = None
            try:
                verdict = _take(group, limit)
                response = view(**arguments)
            except Exception as error:  # noqa: BLE001  # It is answered like any other, with the fields added.
                response, refused = _refused(error)
                verdict = verdict or refused
            return _with_fields(response, limit.policy, verdict)

        guarded.is_limited = True  # type: ignore[attr-defined]
        return guarded

    return decorate


def measured(group: str) -> Callable[[Callable[..., Judged]], Callable[..., Response]]:
    """For routes whose script checks the limit, which the view gets as its first argument; None if there is none.

    That saves a round trip. Without Redis nothing passes.
    """

    def decorate(view: Callable[..., Judged]) -> Callable[..., Response]:
        @wraps(view)
        def asked(**arguments: object) -> Response:
            limit = _limit(group)
            if limit is None:
                return view(None, **arguments)[0]
            try:
                response, verdict = view(limit, **arguments)
            except Exception as error:  # noqa: BLE001  # It is answered like any other, with the fields added.
                response, verdict = _refused(error)
            return _with_fields(response, limit.policy, verdict)

        asked.is_limited = True  # type: ignore[attr-defined]
        return asked

    return decorate


def _limit(group: str) -> RateLimit | None:
    """Return the limit of the client's address; for a shop's purchases and holds, of its name."""
    if group in ("sale", "holds") and (who := caller()).role:
        return services().rate_limits.of("shops", f"shop {who.name}")
    return services().rate_limits.of(group, client_address())


def _take(group: str, limit: RateLimit) -> Verdict | None:
    try:
        return services().rate_limits.take(group, limit)
    except SharedStateUnavailable as error:
        # These routes read from SQL: better one response too many than none.
        metrics.DONE_WITHOUT.labels(f"limit {group}").inc()
        _log.warning("rate limit unavailable", group=group, error=str(error.__cause__))
        return None


def _refused(error: Exception) -> Judged:
    response = current_app.make_response(current_app.handle_user_exception(error))
    return response, error.verdict if isinstance(error, SeatingError) else None


def _with_fields(response: Response, policy: RatePolicy, verdict: Verdict | None) -> Response:
    names, policy_field = _fields(policy)
    response.headers.add("RateLimit-Policy", policy_field)
    if verdict:
        response.headers.add("RateLimit", _field(names, verdict))
    return response


@lru_cache(maxsize=16)
def _fields(policy: RatePolicy) -> tuple[list[str], str]:
    """Return the names of the quotas, and the header that describes them."""
    names = [quota.name for quota in policy.quotas]
    members = [f'"{quota.name}";q={quota.limit};w={-(-quota.window_ms // 1000)}' for quota in policy.quotas]
    return names, ", ".join(members)


def _field(names: list[str], verdict: Verdict) -> str:
    """Return the header with the requests left: `r` would pass within the next `t` seconds; then more."""
    pairs = zip(names, verdict.left, strict=True)
    # Rounded up, so that a client that waits for so long does pass.
    return ", ".join([f'"{name}";r={requests};t={-(-reset_ms // 1000)}' for name, (requests, reset_ms) in pairs])
