"""Failures of calls to the event partner. Only PartnerFailed and its subclasses, but TurnTooLate, count against it.

`retry_after_s` is how long the partner asks us to wait, where it says so.
"""

from math import ceil

from seating.domain.breaker import Refused
from seating.domain.errors import SeatingError


class PartnerFailed(SeatingError):
    """The partner answered with 5xx, or the connection failed."""

    code = "PARTNER_FAILED"
    sentence = "The event partner failed or is unreachable; try again"


class PartnerTooSlow(PartnerFailed):
    code = "PARTNER_TIMEOUT"
    sentence = "The event partner did not answer in time; try again"


class TurnTooLate(PartnerTooSlow):
    """The call waited for its turn, and the deadline left the partner too little time."""


class PartnerOverloaded(PartnerFailed):
    """The partner refused an event. The message is its own."""

    code = "PARTNER_OVERLOADED"
    sentence = "The event partner is not accepting events; try again later"


class PartnerThrottled(SeatingError):
    """The partner answered 429: our calls are rate-limited, which says nothing about its health. Nothing was done."""

    code = "PARTNER_THROTTLED"
    sentence = "The event partner is limiting our calls; try again later"
    retry_after_s = 5


class PartnerAnswerInvalid(SeatingError):
    """The partner broke its contract: an unexpected status, a response too large, no JSON, or JSON of another shape."""

    code = "PARTNER_ANSWER_INVALID"
    sentence = "The event partner sent an invalid response"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{self.sentence}: {reason}")


class PartnerUserNotFound(SeatingError):
    code = "PARTNER_USER_NOT_FOUND"
    sentence = "The event partner has no such user"


class PartnerUnavailable(SeatingError):
    """The breaker refused the call. Nothing was sent."""

    code = "PARTNER_UNAVAILABLE"
    sentence = "Event service is currently experiencing issues. Please try again later."

    def __init__(self, refused: Refused) -> None:
        # A client that comes a moment early would meet the closed door again.
        self.retry_after_s = max(1, ceil(refused.retry_after_ms / 1000))
        super().__init__(circuit_breaker_state=refused.state.value)


class CatalogueBusy(SeatingError):
    """Too many of our own calls are already waiting. Nothing was sent."""

    code = "CATALOGUE_BUSY"
    sentence = "Too many calls to the event partner are already waiting; try again"
    retry_after_s = 1


class PartnerNotConfigured(SeatingError):
    code = "PARTNER_NOT_CONFIGURED"
    sentence = "No event partner is configured: EVENT_API_BASE_URL is not set"
