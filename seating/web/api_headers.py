"""Response headers as the OpenAPI document describes them."""

from typing import Any, Final

from seating.domain.errors import NotOpenYet
from seating.web.declarations import View


def _header(description: str, example: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    return {
        "description": description,
        "required": required,
        "schema": {"type": "string", **schema},
        "example": example,
    }


HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Cache-Control": _header("how long the body may be cached", "no-cache", required=True),
    "ETag": _header(
        "the body's version: send it as `If-None-Match`", 'W/"demo.217907169-42.0f3a9c5e.0"', required=True
    ),
    "Idempotent-Replayed": _header("the response repeats an earlier one", "true", const="true"),
    "Instance": _header("the web instance that counted this; with Prometheus text alone", "instance-k2x7mzk4"),
    "Link": _header('the next page, with `rel="next"` (RFC 8288)', '</users?cursor=5&limit=50>; rel="next"'),
    "Position": _header("`<epoch>-<seq>` in the event's log", "217907169-42", required=True),
    "Preference-Applied": _header("SQL has the purchase (RFC 7240)", "wait", const="wait"),
    "RateLimit": _header(
        "for each quota, `r` requests are left for `t` seconds (draft-ietf-httpapi-ratelimit-headers-10)",
        '"5-in-10s";r=4;t=2',
    ),
    "RateLimit-Policy": _header("for each quota, `q` requests in `w` seconds", '"5-in-10s";q=5;w=10'),
    "Retry-After": _header(
        "seconds after which to retry; with `NOT_ON_SALE`, only before the sale opens", "1", pattern="^[0-9]+$"
    ),
    "WWW-Authenticate": _header("the authentication scheme", 'Bearer realm="seating"', required=True),
    "X-Cache": _header("where the user came from", "HIT", required=True, enum=["HIT", "MISS", "COALESCED"]),
    "X-Request-Id": _header("the request's `X-Request-Id`, or a new one", "4f1d2c3b5a697887", required=True),
}


def header_names(view: View, status: int, *, is_problem: bool) -> list[str]:
    """Return the headers that `view` sends with `status`."""
    names = ["X-Request-Id", *(name for name, statuses in getattr(view, "sends", {}).items() if status in statuses)]
    if status == 401:
        names.append("WWW-Authenticate")
    opens_later = status == 409 and NotOpenYet in getattr(view, "refusals", ())
    if is_problem and (opens_later or status in (429, 502, 503)):
        names.append("Retry-After")
    # The key is checked before the rate limit.
    if getattr(view, "is_limited", False) and status not in (401, 403):
        names += ["RateLimit", "RateLimit-Policy"]
    return names
