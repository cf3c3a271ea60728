"""The hash chain of a log: each entry's link is made of the link before it, its position and its content.

The same is computed in redis_store/lua/prelude.lua when an entry is appended.
"""

import hashlib
import re

from seating.domain.position import Position

GENESIS = "0" * 40
LINK = re.compile("[0-9a-f]{40}")


def link(previous: str, position: Position, change: str) -> str:
    """SHA-1 in hex. The separators cannot occur in a link or a position, so no two entries spell the same."""
    epoch, seq = position
    return hashlib.sha1(f"{previous}\n{epoch}-{seq}\n{change}".encode(), usedforsecurity=False).hexdigest()
