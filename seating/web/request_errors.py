"""Refusals of a request or connection before its content matters."""

from seating.domain.errors import SeatingError


class BodyTooLarge(SeatingError):
    code = "BODY_TOO_LARGE"
    sentence = "The body is too large for this route"


class BodyTooSlow(SeatingError):
    code = "BODY_TOO_SLOW"
    sentence = "The body did not arrive in time"


class NotFound(SeatingError):
    """No route matches the address, for example because a part of it contains a slash."""

    code = "NOT_FOUND"
    sentence = "There is nothing at this address"


class UriTooLong(SeatingError):
    """Raised by the server itself."""

    code = "URI_TOO_LONG"
    sentence = "The address with its query is too long"


class UnsupportedMediaType(SeatingError):
    code = "UNSUPPORTED_MEDIA_TYPE"
    sentence = "Send the body as application/json, uncompressed"


class Unauthorized(SeatingError):
    """The request has no API key, or an unknown one."""

    code = "UNAUTHORIZED"
    sentence = "This requires an API key: send it as Authorization: Bearer"


class Forbidden(SeatingError):
    """The caller's key is valid, but not for this route."""

    code = "FORBIDDEN"
    sentence = "Your key's role does not allow this"


class OriginNotAllowed(SeatingError):
    code = "ORIGIN_NOT_ALLOWED"
    sentence = "Pages of this origin may not connect here"


class TooManyConnections(SeatingError):
    code = "TOO_MANY_CONNECTIONS"
    sentence = "Too many connections are open from your address"
    retry_after_s = 5


class LiveFeedFull(SeatingError):
    code = "LIVE_FEED_FULL"
    sentence = "Too many live feeds are open; try again"
    retry_after_s = 5


class InternalError(SeatingError):
    code = "INTERNAL_ERROR"
    sentence = "Something went wrong on our side; quote the request id when you report it"
