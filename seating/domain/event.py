"""An event and its seat counts."""

import base64
import re
import secrets
from dataclasses import dataclass
from typing import Final

from seating.domain.errors import EventNotFound
from seating.domain.offer import Offer

STATES: Final = frozenset({"on_sale", "paused", "closed"})

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Event:
    """`seated`: it has a seating plan, unlike general admission. `archived`: it is closed and removed from Redis.

    `offer` is None for an event without categories.
    """

    id: str
    name: str
    capacity: int
    seated: bool
    archived: bool = False
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class InventoryCounts:
    """An event's current counts of seats; `state` is on_sale, paused or closed."""

    state: str
    capacity: int
    sold: int
    held: int
    blocked: int
    updated_ms: int

    @property
    def remaining(self) -> int:
        return self.capacity - self.sold - self.held - self.blocked


def is_event_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def parse_event_id(text: str) -> str:
    """Return the id. Raises EventNotFound if it cannot be one."""
    if not is_event_id(text):
        raise EventNotFound
    return text


def new_event_id() -> str:
    """Return ten random Base32 characters: short enough for a URL, and unique."""
    return base64.b32encode(secrets.token_bytes(7)).decode().lower()[:10]
