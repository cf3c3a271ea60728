"""Errors as RFC 9457 problem details. Only this file maps errors to statuses."""

import json
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Flask, Response, request
from pydantic.alias_generators import to_camel
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import WebsocketMismatch

from seating.domain import errors, partner_errors, recovery_errors
from seating.web import request_errors
from seating.web.request_log import note
from seating.web.responses import WholeResponse

STATUS: Final[dict[type[errors.SeatingError], int]] = {
    errors.InvalidRequest: 400,
    errors.InvalidStatus: 400,
    errors.MissingIdempotencyKey: 400,
    errors.InvalidIdempotencyKey: 400,
    request_errors.Unauthorized: 401,
    request_errors.Forbidden: 403,
    request_errors.OriginNotAllowed: 403,
    errors.EventNotFound: 404,
    errors.PlanNotFound: 404,
    errors.PurchaseNotFound: 404,
    errors.UserNotFound: 404,
    errors.SeatNotFound: 404,
    errors.WebhookNotFound: 404,
    recovery_errors.QuarantineEntryNotFound: 404,
    recovery_errors.NoSuchLoss: 404,
    request_errors.NotFound: 404,
    request_errors.BodyTooSlow: 408,
    errors.SoldOut: 409,
    errors.NotTogether: 409,
    errors.NotOnSale: 409,
    errors.SaleRunning: 409,
    errors.UserExists: 409,
    recovery_errors.NotReplayable: 409,
    recovery_errors.PurchaseQuarantined: 409,
    recovery_errors.NothingToMerge: 409,
    errors.SeatUnavailable: 409,
    errors.SeatSold: 409,
    errors.SeatHeld: 409,
    errors.HoldExpired: 409,
    errors.TooManyHeld: 409,
    errors.BuyerLimit: 409,
    errors.TooManyWebhooks: 409,
    request_errors.BodyTooLarge: 413,
    request_errors.UriTooLong: 414,
    request_errors.UnsupportedMediaType: 415,
    errors.IdempotencyKeyReused: 422,
    errors.RateLimited: 429,
    request_errors.TooManyConnections: 429,
    request_errors.InternalError: 500,
    errors.InventoryUnavailable: 503,
    errors.BacklogFull: 503,
    errors.RolloutInProgress: 503,
    request_errors.LiveFeedFull: 503,
    errors.RecordUnavailable: 503,
    errors.WrongTables: 503,
    errors.SharedStateUnavailable: 503,
    errors.LoadFailed: 503,
    partner_errors.PartnerUserNotFound: 404,
    partner_errors.PartnerFailed: 502,
    partner_errors.PartnerAnswerInvalid: 502,
    partner_errors.PartnerOverloaded: 503,
    partner_errors.PartnerThrottled: 503,
    partner_errors.PartnerUnavailable: 503,
    partner_errors.PartnerNotConfigured: 503,
    partner_errors.CatalogueBusy: 503,
    partner_errors.PartnerTooSlow: 504,
}

_PARTNER_REFUSALS: Final = (
    partner_errors.PartnerOverloaded,
    partner_errors.PartnerThrottled,
    partner_errors.PartnerUnavailable,
)

# The text in `error` instead of the code, for older clients that read it there.
_LEGACY_ERRORS: Final[dict[type[errors.SeatingError], str]] = {
    errors.UnknownSeat: errors.UnknownSeat.sentence,
    errors.InvalidStatus: errors.InvalidStatus.sentence,
    errors.UserNotFound: errors.UserNotFound.sentence,
    **dict.fromkeys(_PARTNER_REFUSALS, "Service temporarily unavailable"),
}

# RFC 9110's names of statuses for which Python has older ones.
_TITLES: Final = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}

_camel: Final = lru_cache(maxsize=64)(to_camel)

PROBLEM_TYPE: Final = "application/problem+json"

_NO_SOCKET: Final = "There is no WebSocket at this address; live feeds are at / and at /api/v1/events/{id}/live"
_ONLY_SOCKET: Final = "This address serves WebSockets: connect with ws:// or wss://, which sends Upgrade: websocket"

_log = structlog.get_logger(__name__)


def register(app: Flask) -> None:
    app.register_error_handler(errors.SeatingError, refuse)
    app.register_error_handler(HTTPException, _refuse_by_http)
    app.register_error_handler(Exception, _fail)


def status_of(error: errors.SeatingError) -> int:
    """Return the error's status, or that of its nearest parent class."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def title_of(status: int) -> str:
    return _TITLES.get(status) or HTTPStatus(status).phrase


def code_of(status: int) -> str:
    """Return the code of a plain HTTP error: its title in capitals."""
    return title_of(status).upper().replace(" ", "_")


def problem(
    status: int, code: str, message: str, request_id: str | None, legacy_error: str | None = None, **details: Any
) -> str:
    """Return JSON with `code` for all clients; `error` (`legacy_error` or the code) and `message` serve older ones."""
    fields = {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": message,
        "error": legacy_error or code,
        "code": code,
        "message": message,
        "requestId": request_id,
        **details,
    }
    return json.dumps(fields, separators=(",", ":"))


def body_of(error: errors.SeatingError, request_id: str | None) -> str:
    legacy_error = _LEGACY_ERRORS.get(type(error))
    return problem(status_of(error), error.code, error.message, request_id, legacy_error, **_details(error))


def _answer(status: int, body: str) -> Response:
    return WholeResponse(body.encode(), status, PROBLEM_TYPE)


def refuse(error: errors.SeatingError) -> Response:
    note(code=error.code)
    response = _answer(status_of(error), body_of(error, _request_id()))
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, request_errors.Unauthorized):
        response.headers["WWW-Authenticate"] = 'Bearer realm="seating"'
    return response


def _details(error: errors.SeatingError) -> dict[str, Any]:
    """Return an error's facts in camel case, after the fields that clients of the partner's routes rely on."""
    details: dict[str, Any] = {}
    if isinstance(error, _PARTNER_REFUSALS):
        details["success"] = False
    if isinstance(error, partner_errors.PartnerUnavailable):
        details["retryAfter"] = error.retry_after_s
    for name, value in error.facts.items():
        details[_camel(name)] = value
    return details


def _refuse_by_http(error: HTTPException) -> Response:
    status = error.code or 500
    note(code=code_of(status))
    messages = {404: request_errors.NotFound.sentence, 405: f"This address does not support {request.method}"}
    if isinstance(error, WebsocketMismatch):
        messages[400] = _ONLY_SOCKET
    if _asks_for_a_socket():
        messages |= dict.fromkeys((400, 404, 405), _NO_SOCKET)
    body = problem(status, code_of(status), messages.get(status, title_of(status)), _request_id())
    response = _answer(status, body)
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response


def _asks_for_a_socket() -> bool:
    connection, upgrade = (request.headers.get(name, "").lower() for name in ("Connection", "Upgrade"))
    return "upgrade" in connection and upgrade == "websocket"


def _fail(error: Exception) -> Response:
    _log.error("unexpected error", exc_info=error, request_id=_request_id())
    return refuse(request_errors.InternalError())


def _request_id() -> str | None:
    return request.environ.get("seating.request_id")
