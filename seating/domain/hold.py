"""A hold: seats reserved for a buyer for a limited time. Anyone who knows its token may buy them."""

import hashlib
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

from seating.domain.errors import OutcomeUnknown
from seating.domain.idempotency import short_hash
from seating.domain.position import Position
from seating.domain.seating_plan import SeatRange, runs_text

HOLD_RENDERING: Final = 2
"""Version of a hold's idempotency record. Records of version 1 cannot tell a token, and stay until the event closes."""

# Of fixed lengths, by which hold_keys.lua cuts notes: a hash without its first character, and ms since 1970.
_NOTE: Final = re.compile(r"([\w-]{21}):(\d{13})", re.ASCII)


class Hold(NamedTuple):
    """Times are in ms since 1970. It is valid before `until_ms` and expired from then on.

    `field` is that of its idempotency record, empty without one; when the hold has ended, a note of the key stays for
    `note_ms`.
    """

    since_ms: int
    until_ms: int
    quantity: int
    runs: list[SeatRange]
    field: str = ""
    note_ms: int = 0

    @classmethod
    def parse(cls, kept: str) -> Self:
        """Parse the text that scripts store: since|until|quantity|runs|field;note;holders; before, …|holder."""
        since, until, quantity, runs, owner = kept.split("|")
        field, _, rest = owner.rpartition(";")[0].partition(";")
        return cls(int(since), int(until), int(quantity), SeatRange.parse_all(runs), field, int(rest or 0))

    def __str__(self) -> str:
        """Return the text that scripts store, without the holders, whom the log does not know."""
        return f"{self.since_ms}|{self.until_ms}|{self.quantity}|{runs_text(self.runs)}|{self.field};{self.note_ms};"


def without_holders(kept: str) -> tuple[str, list[str]]:
    """Return a hold that scripts store as `str` has it, and the holders for whom its seats count."""
    hold, _, owner = kept.rpartition("|")
    key, is_of_now, holders = owner.rpartition(";")
    # Versions before wrote the holder alone there.
    return f"{hold}|{key if is_of_now else ';0'};", [who.partition(":")[0] for who in holders.split(",") if who]


class HoldOutcomeUnknown(OutcomeUnknown):
    """Seats were to be held without an idempotency key: a repetition would hold others."""

    sentence = (
        "The connection to the inventory broke, so it is unknown whether seats are held. If they are, they return when "
        "the hold expires. Send an Idempotency-Key to get the same hold when you repeat a request"
    )
    retry_after_s = None


class HeldRecord(NamedTuple):
    """A hold as it is at `position`: it lasts until `until_ms`, `left_ms` from then.

    `tariff` and `currency` are what each run would be sold as now: a hold keeps seats, not their price.
    """

    position: Position
    until_ms: int
    left_ms: int
    quantity: int
    runs: list[SeatRange]
    tariff: str = ""
    currency: str | None = None


def new_token() -> str:
    """Return 128 random bits as text."""
    return secrets.token_urlsafe(16)


def hold_id(token: str) -> str:
    """Return the id under which a token's hold is stored. The token cannot be derived from it."""
    return short_hash("hold id", token)


def sealed(token: str, hold: str, event_id: str, caller: str, key: str) -> str:
    """Encrypt a token with the idempotency key of its hold, or decrypt it: that is one operation.

    A repetition is told the token again, though nobody who reads Redis or SQL learns it unless they know the key. The
    id of the hold makes a new pad of a key that is used again.
    """
    pad = hashlib.sha256("\0".join(("hold token", hold, event_id, caller, key)).encode()).digest()
    mixed = bytes(one ^ other for one, other in zip(urlsafe_b64decode(token + "=="), pad[:16], strict=True))
    return urlsafe_b64encode(mixed).decode().rstrip("=")


def pack_notes(notes: Mapping[str, int]) -> dict[str, str]:
    """Notes of ended holds, field to ms since 1970, as hold_keys.lua keeps them; given in the order of their ends."""
    packed: dict[str, str] = defaultdict(str)
    for field, until_ms in notes.items():
        # The newest stands first: scripts drop those that are over from the end.
        packed[field[0]] = f"{field[1:]}:{until_ms}{packed[field[0]]}"
    return dict(packed)


def unpack_notes(packed: Mapping[str, str]) -> dict[str, int]:
    """What `pack_notes` was given, in the order of their ends. Of a field that has several, the newest."""
    found = ((int(until), first + rest) for first, notes in packed.items() for rest, until in _NOTE.findall(notes))
    return {field: until_ms for until_ms, field in sorted(found)}
