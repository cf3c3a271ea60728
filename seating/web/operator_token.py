"""Who may use the operator's routes."""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from flask import request
from werkzeug.wrappers import Response

from seating.config import Settings
from seating.web.request_errors import Unauthorized
from seating.web.services import settings

SECURITY: Final[list[dict[str, list[Any]]]] = [{"operator": []}]
OPERATOR: Final = "operator"
ANONYMOUS: Final = "anonymous"

_FORWARDING_HEADERS = (
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-Ip",
    "Via",
)


def operators_only(view: Callable[..., Response]) -> Callable[..., Response]:
    @wraps(view)
    def guarded(**arguments: object) -> Response:
        if not _is_operator(settings()):
            raise Unauthorized
        return view(**arguments)

    return guarded


def caller() -> str:
    """The authenticated subject, or else the one anonymous namespace."""
    return OPERATOR if _has_token(settings()) else ANONYMOUS


def _is_operator(current: Settings) -> bool:
    if current.operator_routes_are_local:
        # A forwarding header means that a proxy stands in front, and with it the world.
        return not any(name in request.headers for name in _FORWARDING_HEADERS)
    return _has_token(current)


def _has_token(current: Settings) -> bool:
    if current.admin_token is None:
        return False
    header = request.headers.get("Authorization", "")
    scheme, _, token = header.partition(" ")
    expected = current.admin_token.get_secret_value()
    return scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), expected.encode())
