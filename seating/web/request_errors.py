"""Refusals of a request or a connection as such, before it is known what it asks for."""

from seating.domain.errors import SeatingError


class BodyTooLarge(SeatingError):
    code = "BODY_TOO_LARGE"
    sentence = "The body is larger than this route takes"


class BodyTooSlow(SeatingError):
    code = "BODY_TOO_SLOW"
    sentence = "The body did not arrive in time"


class NotFound(SeatingError):
    """Of an address that no route has, since a part of it has a slash, for example."""

    code = "NOT_FOUND"
    sentence = "There is nothing at this address"


class UriTooLong(SeatingError):
    """The server raises it of itself."""

    code = "URI_TOO_LONG"
    sentence = "The address with its query is longer than the server takes"


class UnsupportedMediaType(SeatingError):
    code = "UNSUPPORTED_MEDIA_TYPE"
    sentence = "Send the body as application/json, not compressed"


class Unauthorized(SeatingError):
    """Nobody is known to ask, or by a key that does not exist."""

    code = "UNAUTHORIZED"
    sentence = "This takes an API key: send it as Authorization: Bearer"


class Forbidden(SeatingError):
    """The caller's key is good, but not for this."""

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
    sentence = "As many live feeds are open here as can be served beside the sale; please try again"
    retry_after_s = 5


class InternalError(SeatingError):
    code = "INTERNAL_ERROR"
    sentence = "Something went wrong here; the request id helps us to find out what"
