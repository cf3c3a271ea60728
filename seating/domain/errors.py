"""Refusals: one class for each reason, with a stable `code` for programs and a `sentence` for people."""

from typing import Any, ClassVar

from seating.domain.rate_policy import Quota, Verdict
from seating.domain.timestamps import rfc3339


class SeatingError(Exception):
    """A refusal. `facts` are its details; `retry_after_s` is when a retry makes sense.

    `verdict` is the rate limit's decision before this was raised; None if it was not checked.
    """

    code: ClassVar[str]
    sentence: ClassVar[str]
    retry_after_s: int | None = None
    verdict: Verdict | None = None

    def __init__(self, message: str | None = None, **facts: Any) -> None:
        super().__init__(message or self.sentence)
        self.message = message or self.sentence
        self.facts = facts


class InvalidRequest(SeatingError):
    """A part of the request is invalid. `field` names it (`body` for the whole body)."""

    code = "VALIDATION_ERROR"
    sentence = "The request is not valid"

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message, field=field)


class InvalidPlan(InvalidRequest):
    """A seating plan has faults: all are counted in `errors_total`, the first of them stand in `errors`.

    Each is `{"path", "value", "message", "suggestion"}`; `field` is the path of the first. `of` stands before it in the
    message.
    """

    def __init__(self, errors: list[dict[str, Any]], total: int, of: str = "") -> None:
        first = errors[0]
        where = f"{of}{first['path']}" or "The plan"
        more = f" (and {total - 1} more)" if total > 1 else ""
        super().__init__(f"{where.removesuffix(': ')}: {first['message']}{more}", first["path"])
        self.facts |= {"errors": errors, "errors_total": total}


class MissingIdempotencyKey(SeatingError):
    code = "MISSING_IDEMPOTENCY_KEY"
    sentence = "Send an Idempotency-Key header: a unique string, such as a UUID; send the same one when you retry"


class InvalidIdempotencyKey(SeatingError):
    code = "INVALID_IDEMPOTENCY_KEY"
    sentence = "The Idempotency-Key must be 1 to 255 visible ASCII characters, plain or as a quoted string"


class IdempotencyKeyReused(SeatingError):
    code = "IDEMPOTENCY_KEY_REUSED"
    sentence = "This idempotency key was already used for another request; use a new key"

    @classmethod
    def of(cls, first_use: str) -> "IdempotencyKeyReused":
        """`first_use` is `purchase` or `hold`, empty where it is not known."""
        if not first_use:
            return cls()
        return cls(f"This idempotency key was already used for a {first_use}; use a new key for anything else")


class EventNotFound(SeatingError):
    code = "EVENT_NOT_FOUND"
    sentence = "There is no such event"


class PlanNotFound(SeatingError):
    code = "PLAN_NOT_FOUND"
    sentence = "This event is general admission: it has no seating plan"


class PurchaseNotFound(SeatingError):
    code = "PURCHASE_NOT_FOUND"
    sentence = "There is no such purchase"


class SoldOut(SeatingError):
    code = "SOLD_OUT"
    sentence = "Fewer seats are left than you asked for"


class NotTogether(SeatingError):
    code = "NOT_TOGETHER"
    sentence = "No row has that many adjacent seats left; ask for fewer"


class SeatUnavailable(SeatingError):
    code = "SEAT_UNAVAILABLE"
    sentence = "At least one of these seats is no longer available"


class SeatNotFound(SeatingError):
    code = "SEAT_NOT_FOUND"
    sentence = "Seat not found"


class UnknownSeat(SeatNotFound):
    """The seat in the request's address does not exist."""


class InvalidStatus(SeatingError):
    code = "VALIDATION_ERROR"
    sentence = "Invalid status. Must be: available, reserved, sold, or held"


class SeatSold(SeatingError):
    code = "SEAT_SOLD"
    sentence = "Buyers own some of these seats; cancel their purchases first"


class SeatHeld(SeatingError):
    code = "SEAT_HELD"
    sentence = "Buyers hold some of these seats now"


class HoldExpired(SeatingError):
    code = "HOLD_EXPIRED"
    sentence = "This hold does not exist or has ended"


class TooManyHeld(SeatingError):
    code = "TOO_MANY_HELD"
    sentence = "You already hold too many seats of this event; buy or release some first"


class NotOnSale(SeatingError):
    code = "NOT_ON_SALE"
    sentence = "This event is not on sale"


class NotOpenYet(NotOnSale):
    """Its sale opens at `opens_at_ms`, in ms since 1970, which is in `wait_ms` by Redis's clock."""

    sentence = "The sale has not opened yet"

    def __init__(self, opens_at_ms: int, wait_ms: int) -> None:
        super().__init__(state="on_sale", opens_at=rfc3339(opens_at_ms))
        # Rounded up: who comes a moment early is refused again.
        self.retry_after_s = -(-wait_ms // 1000)


class SaleRunning(SeatingError):
    code = "ON_SALE"
    sentence = "Pause the sale first"


class BuyerLimit(SeatingError):
    """`left` is how many more seats the buyer may have."""

    code = "BUYER_LIMIT"
    sentence = "This would exceed the limit per buyer"


class InventoryUnavailable(SeatingError):
    """Redis is unavailable or not trusted yet. The request changed nothing."""

    code = "INVENTORY_UNAVAILABLE"
    sentence = "Seats are temporarily unavailable and nothing was sold to you; try again"
    retry_after_s: int | None = 1


class RolloutInProgress(SeatingError):
    """A worker or cron of an older version could not read the log entry that this would write. Nothing has changed."""

    code = "ROLLOUT_IN_PROGRESS"
    sentence = "This is not possible while an older version is being replaced; nothing has changed, try again"
    retry_after_s = 5


class OutcomeUnknown(InventoryUnavailable):
    """The connection to Redis broke after the request was sent: it may have taken effect."""

    sentence = (
        "The connection to the inventory broke, so the outcome of your request is unknown; "
        "repeat it, with the same idempotency key if it had one, to find out"
    )


class BacklogFull(SeatingError):
    code = "BACKLOG_FULL"
    sentence = "Too many purchases are waiting to be recorded and nothing was sold to you; try again"
    retry_after_s = 2


class RecordUnavailable(SeatingError):
    """SQL is unavailable."""

    code = "RECORD_UNAVAILABLE"
    sentence = "The record is temporarily unavailable; try again"
    retry_after_s = 2


class WrongTables(RecordUnavailable):
    """SQL has the tables of another version, or none. The message says what an operator must do."""

    code = "DATABASE_VERSION"
    sentence = "The database cannot be used: its tables are of another version"
    retry_after_s = 10


class SharedStateUnavailable(SeatingError):
    """Redis is unavailable for the state that processes share: caches, flights, limits."""

    code = "SHARED_STATE_UNAVAILABLE"
    sentence = "Shared state is temporarily unavailable; try again"
    retry_after_s = 1


class LoadFailed(SeatingError):
    """The fetch that this request shared with another process failed."""

    code = "LOAD_FAILED"
    sentence = "The requested data could not be loaded; try again"
    retry_after_s = 1


class RateLimited(SeatingError):
    """`quota` is the one with the longest wait."""

    code = "RATE_LIMITED"
    sentence = "Too many requests from your address"

    def __init__(self, quota: Quota, verdict: Verdict) -> None:
        super().__init__(f"{self.sentence}: at most {quota}", limit=str(quota), retry_after_ms=verdict.wait_ms)
        self.retry_after_s = -(-verdict.wait_ms // 1000)
        self.verdict = verdict
        self.quota = quota


class UserNotFound(SeatingError):
    code = "USER_NOT_FOUND"
    sentence = "User not found"


class UserExists(SeatingError):
    code = "USER_EXISTS"
    sentence = "A user with this id or e-mail address already exists"


class WebhookNotFound(SeatingError):
    code = "WEBHOOK_NOT_FOUND"
    sentence = "There is no such webhook"


class TooManyWebhooks(SeatingError):
    code = "TOO_MANY_WEBHOOKS"
    sentence = "There are as many webhooks as there can be; remove one first"
