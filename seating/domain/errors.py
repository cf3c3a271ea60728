"""Every way to be told no: one class a reason, with a stable `code` for programs and a sentence for people."""

from typing import Any, ClassVar


class SeatingError(Exception):
    """A refusal. `details` are further fields of the answer, `retry_after_s` says when trying again makes sense."""

    code: ClassVar[str]
    sentence: ClassVar[str]
    retry_after_s: ClassVar[int | None] = None

    def __init__(self, message: str | None = None, **details: Any) -> None:
        super().__init__(message or self.sentence)
        self.message = message or self.sentence
        self.details = details


class InvalidRequest(SeatingError):
    """Something in the request is of the wrong shape. `field` names it (`body` for the whole body)."""

    code = "VALIDATION_ERROR"
    sentence = "The request is not valid"

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message, field=field)


class BodyTooLarge(SeatingError):
    code = "BODY_TOO_LARGE"
    sentence = "The body is larger than this route takes"


class BodyTooSlow(SeatingError):
    code = "BODY_TOO_SLOW"
    sentence = "The body did not arrive in time"


class UnsupportedMediaType(SeatingError):
    code = "UNSUPPORTED_MEDIA_TYPE"
    sentence = "Send the body as application/json, not compressed"


class Unauthorized(SeatingError):
    code = "UNAUTHORIZED"
    sentence = "This route is for operators: send Authorization: Bearer with the admin token"


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


class MissingIdempotencyKey(SeatingError):
    code = "MISSING_IDEMPOTENCY_KEY"
    sentence = "Send an Idempotency-Key header: any unique string, best a UUID; repeat it when you repeat the request"


class InvalidIdempotencyKey(SeatingError):
    code = "INVALID_IDEMPOTENCY_KEY"
    sentence = "The Idempotency-Key must be 1 to 255 visible ASCII characters, plain or as a quoted string"


class IdempotencyKeyReused(SeatingError):
    code = "IDEMPOTENCY_KEY_REUSED"
    sentence = "This Idempotency-Key has already bought something else; use a new key for a new purchase"


class EventNotFound(SeatingError):
    code = "EVENT_NOT_FOUND"
    sentence = "There is no such event"


class PurchaseNotFound(SeatingError):
    code = "PURCHASE_NOT_FOUND"
    sentence = "There is no such purchase"


class SoldOut(SeatingError):
    code = "SOLD_OUT"
    sentence = "Fewer seats are left than you asked for"


class NotTogether(SeatingError):
    code = "NOT_TOGETHER"
    sentence = "No row has that many neighbouring seats left; ask for fewer"


class SeatUnavailable(SeatingError):
    code = "SEAT_UNAVAILABLE"
    sentence = "At least one of these seats is not available any more"


class NotOnSale(SeatingError):
    code = "NOT_ON_SALE"
    sentence = "This event is not on sale now"


class InventoryUnavailable(SeatingError):
    """Redis cannot be asked, or its state is not to be trusted yet. The request changed nothing."""

    code = "INVENTORY_UNAVAILABLE"
    sentence = "The seats cannot be reached at this moment; nothing was sold to you, please try again"
    retry_after_s = 1


class OutcomeUnknown(InventoryUnavailable):
    """The request was on its way to Redis when the connection broke: it may have been carried out."""

    sentence = (
        "The connection to the inventory broke while your request was under way, so its outcome is not known; "
        "repeat it with the same Idempotency-Key to learn it"
    )


class BacklogFull(SeatingError):
    code = "BACKLOG_FULL"
    sentence = "Too many purchases wait to be recorded; nothing was sold to you, please try again"
    retry_after_s = 2


class RecordUnavailable(SeatingError):
    """SQL cannot be asked now."""

    code = "RECORD_UNAVAILABLE"
    sentence = "The record cannot be read at this moment, please try again"
    retry_after_s = 2


class QuarantineEntryNotFound(SeatingError):
    code = "QUARANTINE_ENTRY_NOT_FOUND"
    sentence = "There is no such entry in quarantine"


class NotReplayable(SeatingError):
    """An entry in quarantine still cannot be taken. The message says what stands against it."""

    code = "NOT_REPLAYABLE"
    sentence = "The entry still cannot be taken"


class Overtaken(Exception):
    """Another process did this first, or does it now. Nothing was changed here."""
