"""Timestamps for clients: RFC 3339, in UTC."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MS: Final = 253_402_300_799_999
"""The end of the year 9999: the year 10000 has no text."""


def rfc3339(at_ms: float) -> str:
    """Format ms since 1970."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> int:
    """The ms since 1970. Raises ValueError for anything but a moment with its offset from UTC, from 1970 to 9999."""
    refusal = ValueError("must be a moment from 1970 to 9999 with its offset, such as 2027-05-01T19:30:00+02:00")
    if _RFC3339.fullmatch(text) is None:
        raise refusal
    try:
        # RFC 3339 allows a small z; fromisoformat does not.
        at_ms = (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(milliseconds=1)
    except ValueError:  # There is no such day or hour.
        raise refusal from None
    # An offset may move a moment beyond the years that its text names.
    if not 0 <= at_ms <= LATEST_MS:
        raise refusal
    return at_ms
