"""Every way to be told no: one class a reason, with a stable `code` for programs and a sentence for people."""

from typing import Any, ClassVar

from seating.domain.rate_policy import Quota, Verdict


class SeatingError(Exception):
    """A refusal. `facts` say more about it, `retry_after_s` says when trying again makes sense.

    `verdict` is what the rate limit said before this was raised, None where it was not asked.
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
    """Something in the request is of the wrong shape. `field` names it (`body` for the whole body)."""

    code = "VALIDATION_ERROR"
    sentence = "The request is not valid"

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message, field=field)


class MissingIdempotencyKey(SeatingError):
    code = "MISSING_IDEMPOTENCY_KEY"
    sentence = "Send an Idempotency-Key header: any unique string, best a UUID; repeat it when you repeat the request"


class InvalidIdempotencyKey(SeatingError):
    code = "INVALID_IDEMPOTENCY_KEY"
    sentence = "The Idempotency-Key must be 1 to 255 visible ASCII characters, plain or as a quoted string"


class IdempotencyKeyReused(SeatingError):
    code = "IDEMPOTENCY_KEY_REUSED"
    sentence = "This Idempotency-Key was used for something else before; use a new key for each purchase and each hold"

    @classmethod
    def of(cls, first_use: str) -> "IdempotencyKeyReused":
        """`first_use` is `purchase` or `hold`, empty where it is not known."""
        if not first_use:
            return cls()
        return cls(f"This Idempotency-Key was used for a {first_use} before; use a new key for anything else")


class EventNotFound(SeatingError):
    code = "EVENT_NOT_FOUND"
    sentence = "There is no such event"


class PlanNotFound(SeatingError):
    code = "PLAN_NOT_FOUND"
    sentence = "This event is of general admission: it has no seating plan"


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


class SeatNotFound(SeatingError):
    code = "SEAT_NOT_FOUND"
    sentence = "Seat not found"


class UnknownSeat(SeatNotFound):
    """Asked for by its own address."""


class InvalidStatus(SeatingError):
    code = "VALIDATION_ERROR"
    sentence = "Invalid status. Must be: available, reserved, sold, or held"


class SeatSold(SeatingError):
    code = "SEAT_SOLD"
    sentence = "A buyer owns this seat; cancel the purchase instead"


class SeatHeld(SeatingError):
    code = "SEAT_HELD"
    sentence = "A buyer holds this seat at this moment"


class HoldExpired(SeatingError):
    code = "HOLD_EXPIRED"
    sentence = "This hold does not exist or has ended"


class TooManyHeld(SeatingError):
    code = "TOO_MANY_HELD"
    sentence = "You hold too many seats of this event already; buy them or give some back first"


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


class SharedStateUnavailable(SeatingError):
    """Redis cannot be asked for what the processes share: caches, flights, limits."""

    code = "SHARED_STATE_UNAVAILABLE"
    sentence = "What the processes share cannot be reached at this moment, please try again"
    retry_after_s = 1


class LoadFailed(SeatingError):
    """What another process was fetching for this request too could not be had."""

    code = "LOAD_FAILED"
    sentence = "What you asked for could not be fetched at this moment, please try again"
    retry_after_s = 1


class RateLimited(SeatingError):
    """`quota` is the one that takes longest to have room."""

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
    sentence = "There is a user with this id or e-mail address already"


class QuarantineEntryNotFound(SeatingError):
    code = "QUARANTINE_ENTRY_NOT_FOUND"
    sentence = "There is no such entry in quarantine"


class NotReplayable(SeatingError):
    """An entry in quarantine still cannot be taken. The message says what stands against it."""

    code = "NOT_REPLAYABLE"
    sentence = "The entry still cannot be taken"


class NothingToMerge(SeatingError):
    code = "NOTHING_TO_MERGE"
    sentence = "SQL has everything that it acknowledged: there is nothing to merge"


class NoSuchLoss(SeatingError):
    code = "LOSS_NOT_FOUND"
    sentence = "There is no such loss, or it is settled"


class Overtaken(Exception):
    """Another process did this first, or does it now. Nothing was changed here."""
