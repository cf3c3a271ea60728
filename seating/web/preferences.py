"""The `Prefer` header (RFC 7240), of which `wait` is understood and everything else ignored, as it asks."""

import re
from typing import Final

LONGEST_WAIT_S: Final = 30

_WAIT = re.compile(r'\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?', re.IGNORECASE)


def wait_s(header: str | None) -> int:
    """The seconds to wait, at most `LONGEST_WAIT_S`; 0 without a wish that can be understood."""
    for preference in (header or "").split(","):
        if match := _WAIT.fullmatch(preference):
            return min(int(match[1]), LONGEST_WAIT_S)
    return 0
