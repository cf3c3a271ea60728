"""What of a change webhooks are told: a message's id and type, what its data is made of, and its signature.

Signatures are those of https://www.standardwebhooks.com/ (symmetric, `v1`).
"""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from typing import Final, NamedTuple

from seating.domain import changes
from seating.domain.changes import Change
from seating.domain.event import Event
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.purchase import Purchase
from seating.domain.webhook import MessageType

_SECRET_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


class ExpiredHold(NamedTuple):
    """`id` is the hash of the hold's token. `seats` are ids, none in general admission."""

    id: str
    event_id: str
    quantity: int
    seats: list[str]
    at_ms: int
    position: Position


class ChangedEvent(NamedTuple):
    """An event, with the state that it took at `at_ms`."""

    event: Event
    at_ms: int


class Message(NamedTuple):
    """A message to an endpoint, rendered. Whoever gets it twice gets the same id. `at_ms` is when it happened."""

    id: str
    type: MessageType
    body: bytes


def id_of_entry(event_id: str, entry: LogEntry, change: Change) -> str:
    """Return the id of an entry's message: its position or, of a purchase, the one that its buyer was told.

    So a purchase that another history had, and that is replayed or merged, is sold under one id.
    """
    original = change.original if isinstance(change, changes.Purchased) else None
    return f"msg_{event_id}.{original or entry.position}"


def id_of_sale(purchase: Purchase) -> str:
    """Return the id of the message that a purchase was sold."""
    return f"msg_{purchase.id.event_id}.{purchase.id.position}"


def type_of(change: Change) -> MessageType | None:
    """Return the type of message that a change makes; None for one that nobody is told of."""
    match change:
        case changes.Purchased():
            return "purchase.sold"
        case changes.Cancelled():
            return "purchase.cancelled"
        case changes.Released(expired=True):
            return "hold.expired"
        case changes.Opened() | changes.StateSet() | changes.Merged():
            return "event.state"
    return None


def new_secret() -> str:
    """Return a random secret: `whsec_` and 32 bytes in Base64."""
    return _SECRET_PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(signing_secrets: tuple[str, ...], message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers of a message that is sent at `at_s`, in seconds since 1970; each secret signs it."""
    signed = f"{message_id}.{at_s}.".encode() + body
    keys = [b64decode(secret.removeprefix(_SECRET_PREFIX)) for secret in signing_secrets]
    signatures = [f"v1,{b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(signatures),
    }
