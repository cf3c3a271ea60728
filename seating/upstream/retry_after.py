"""Read the header `Retry-After` of those that we call (RFC 9110, section 10.2.3)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Final

LONGEST_WAIT_S: Final = 3600
"""The longest wait that the partner may impose on our callers: its typo must not keep them away for years."""


def wait_s_in(text: str | None) -> int | None:
    """Return seconds from now, 1 to LONGEST_WAIT_S; None if the header is missing or neither a number nor a date."""
    text = (text or "").strip()
    wait_s = float(text[:10]) if text.isascii() and text.isdigit() else seconds_until(text)
    return None if wait_s is None else min(max(1, ceil(wait_s)), LONGEST_WAIT_S)


def seconds_until(date: str) -> float | None:
    """Return the seconds from now until an HTTP date, negative if it is over; None for what is no date."""
    try:
        at = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # The latter for numbers that no date can have.
        return None
    # Python gives a date of "-0000", which is UTC, no time zone.
    return (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


def whole_seconds_until(date: str) -> int:
    """Return `seconds_until` a date, rounded up; 0 for one that is over, and for what is no date."""
    return max(0, ceil(seconds_until(date) or 0))
