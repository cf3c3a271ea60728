"""The Retry-After header of an answer (RFC 9110, section 10.2.3)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Final

LONGEST_WAIT_S: Final = 3600
"""What a partner may ask of our callers; a typing error of its must not keep them away for years."""


def wait_s_in(text: str | None) -> int | None:
    """Seconds from now, 1 to LONGEST_WAIT_S; None where the header is missing or is neither a number nor a date."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        wait_s = float(text[:10])
    else:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        wait_s = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(1, ceil(wait_s)), LONGEST_WAIT_S)
