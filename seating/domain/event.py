"""An event and its seat counts."""

import base64
import re
import secrets
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self, TypedDict

from seating.domain.errors import EventNotFound
from seating.domain.offer import Offer

DRAFT: Final = "draft"
"""The state of an event that only operators and readers see. One that has left it is never a draft again."""
STATES: Final = frozenset({DRAFT, "on_sale", "paused", "closed"})

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
# No more digits than timestamps.LATEST_MS has: a longer number might not fit SQL's BIGINT.
_CURSOR = re.compile(r"(\d{0,15})\.([a-z0-9][a-z0-9-]{0,63})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Event:
    """`seated`: it has a seating plan, unlike general admission. `archived`: it is closed and removed from Redis.

    `state` is the one on record. `starts_ms` is in ms since 1970, None while there is no date. Only the organiser's
    systems know what `metadata` means. `offer` is None for an event that is sold without conditions.
    """

    id: str
    name: str
    capacity: int
    seated: bool
    archived: bool = False
    state: str = "on_sale"
    starts_ms: int | None = None
    venue: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    offer: Offer | None = None


class EventFilter(NamedTuple):
    """Which events a list has: those that start from `from_ms` on and before `to_ms`, in ms since 1970; all by default.

    `state` is one on record. Without `drafts` there are none of them, whatever `state` says.
    """

    from_ms: int | None = None
    to_ms: int | None = None
    state: str | None = None
    venue: str | None = None
    drafts: bool = False


class EventCursor(NamedTuple):
    """A place in the list of events, which are in the order of their dates, those without one last, then of ids."""

    starts_ms: int | None
    id: str

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(event.starts_ms, event.id)

    def __str__(self) -> str:
        return f"{'' if self.starts_ms is None else self.starts_ms}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for what is no text of a cursor."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise ValueError("must be `next` of the page before")
        return cls(int(found[1]) if found[1] else None, found[2])


class EventDetails(TypedDict, total=False):
    """What an operator may say of an event at any time: nothing is sold by it."""

    name: str
    starts_ms: int | None
    venue: str | None
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class InventoryCounts:
    """An event's current counts of seats; `state` is one of STATES."""

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
