"""Errors as RFC 9457 problem details. This is the only place that knows which error has which status."""

import json
from typing import Any, Final

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from seating.domain import errors, partner_errors

STATUS: Final[dict[type[errors.SeatingError], int]] = {
    errors.InvalidRequest: 400,
    errors.MissingIdempotencyKey: 400,
    errors.InvalidIdempotencyKey: 400,
    errors.Unauthorized: 401,
    errors.EventNotFound: 404,
    errors.PurchaseNotFound: 404,
    errors.UserNotFound: 404,
    errors.BodyTooSlow: 408,
    errors.SoldOut: 409,
    errors.NotTogether: 409,
    errors.NotOnSale: 409,
    errors.UserExists: 409,
    errors.BodyTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.IdempotencyKeyReused: 422,
    errors.RateLimited: 429,
    errors.InventoryUnavailable: 503,
    errors.BacklogFull: 503,
    errors.RecordUnavailable: 503,
    errors.SharedStateUnavailable: 503,
    errors.LoadFailed: 503,
    partner_errors.PartnerUserNotFound: 404,
    partner_errors.PartnerFailed: 502,
    partner_errors.PartnerAnswerInvalid: 502,
    partner_errors.PartnerOverloaded: 503,
    partner_errors.PartnerUnavailable: 503,
    partner_errors.PartnerNotConfigured: 503,
    partner_errors.CatalogueBusy: 503,
    partner_errors.PartnerTooSlow: 504,
}

_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

_log = structlog.get_logger(__name__)


def register(app: Flask) -> None:
    app.register_error_handler(errors.SeatingError, refuse)
    app.register_error_handler(HTTPException, _refuse_by_http)
    app.register_error_handler(Exception, _fail)


def status_of(error: errors.SeatingError) -> int:
    """An error without a status of its own has its parent's."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(status: int, code: str, message: str, words: str | None = None, **details: Any) -> Response:
    """A problem with `error` (`words`, or else the code) and `message` for clients of the plain routes."""
    title = _TITLES.get(status, "Error")
    fields = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": message,
        "error": words or code,
        "code": code,
        "message": message,
        "requestId": request.environ.get("seating.request_id"),
        **details,
    }
    return Response(json.dumps(fields, separators=(",", ":")), status, content_type="application/problem+json")


def refuse(error: errors.SeatingError) -> Response:
    response = problem(status_of(error), error.code, error.message, error.words, **error.details)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, errors.Unauthorized):
        response.headers["WWW-Authenticate"] = 'Bearer realm="seating"'
    return response


def _refuse_by_http(error: HTTPException) -> Response:
    status = error.code or 500
    title = _TITLES.get(status, error.name)
    code = title.upper().replace(" ", "_")
    messages = {404: "There is nothing at this address", 405: f"This address does not take {request.method}"}
    response = problem(status, code, messages.get(status, title))
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response


def _fail(error: Exception) -> Response:
    _log.error("unexpected error", exc_info=error, request_id=request.environ.get("seating.request_id"))
    return problem(500, "INTERNAL_ERROR", "Something went wrong here; the request id helps us to find out what")
