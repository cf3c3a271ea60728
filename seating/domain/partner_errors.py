"""What can go wrong with the event partner. Only PartnerFailed and what is one count against it.

`retry_after_s` is how long the partner asks us to wait, where it says so.
"""

from math import ceil

from seating.domain.breaker import Refused
from seating.domain.errors import SeatingError


class PartnerFailed(SeatingError):
    """It answered with 5xx, or its connection could not be had or broke."""

    code = "PARTNER_FAILED"
    sentence = "The event partner cannot be reached or failed, so there is no answer; please try again"


class PartnerTooSlow(PartnerFailed):
    code = "PARTNER_TIMEOUT"
    sentence = "The event partner did not answer in time, so there is no answer; please try again"


class PartnerOverloaded(PartnerFailed):
    """It refused an event itself. The message is the partner's own."""

    code = "PARTNER_OVERLOADED"
    sentence = "The event partner takes no events now, please try again later"


class PartnerThrottled(SeatingError):
    """The partner answered 429: it limits our calls, which says nothing about its health. Nothing was done."""

    code = "PARTNER_THROTTLED"
    sentence = "The event partner limits our calls at the moment; please try again later"
    retry_after_s = 5


class PartnerAnswerInvalid(SeatingError):
    """It answered, but not as agreed: another status, too much, no JSON, or JSON of another shape."""

    code = "PARTNER_ANSWER_INVALID"
    sentence = "The event partner gave an answer that cannot be used"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{self.sentence}: {reason}")


class PartnerUserNotFound(SeatingError):
    code = "PARTNER_USER_NOT_FOUND"
    sentence = "The event partner has no such user"


class PartnerUnavailable(SeatingError):
    """The breaker lets no call out. Nothing was sent."""

    code = "PARTNER_UNAVAILABLE"
    sentence = "Event service is currently experiencing issues. Please try again later."

    def __init__(self, refused: Refused) -> None:
        # A client that comes a moment early would meet the closed door again.
        self.retry_after_s = max(1, ceil(refused.retry_after_ms / 1000))
        super().__init__(circuit_breaker_state=refused.state.value)


class CatalogueBusy(SeatingError):
    """Too many calls of our own wait already. Nothing was sent."""

    code = "CATALOGUE_BUSY"
    sentence = "Too many questions to the event partner wait already, please try again"
    retry_after_s = 1


class PartnerNotConfigured(SeatingError):
    code = "PARTNER_NOT_CONFIGURED"
    sentence = "No event partner is configured here: EVENT_API_BASE_URL is not set"
