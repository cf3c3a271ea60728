"""Webhooks: what an endpoint is, what it may ask for, and when a failed delivery is tried again."""

import random
import re
import secrets
from base64 import b32encode
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Self, get_args
from urllib.parse import urlsplit

from seating.domain.errors import InvalidRequest, WebhookNotFound
from seating.domain.position import Position
from seating.domain.public_address import is_public, literal

MessageType = Literal["purchase.sold", "purchase.cancelled", "hold.expired", "event.state", "loss"]
TYPES: Final[tuple[MessageType, ...]] = get_args(MessageType)

MAX_WEBHOOKS: Final = 50
MAX_URL: Final = 2_000

_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 300.0
_JITTER: Final = 0.1

_ID: Final = re.compile(r"[a-z2-7]{10}", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?", re.ASCII)
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)


class Target(NamedTuple):
    """The parts of an endpoint's URL. `path` includes the query; `host` has no brackets."""

    is_https: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return the value of the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_https else 80) else f"{host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse an endpoint's URL. Raises ValueError with the fault."""
        if len(url) > MAX_URL:
            raise ValueError(f"cannot have more than {MAX_URL:,} characters")
        # Before urlsplit, which drops tabs and line feeds without a word.
        if _VISIBLE.fullmatch(url) is None:
            raise ValueError("must be visible ASCII characters: write other ones percent-encoded, a host as xn--…")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("must have a valid host and port") from None
        if parts.scheme not in ("http", "https"):
            raise ValueError("must start with https://")
        # Not parts.fragment: that does not tell an empty one from none.
        if "@" in parts.netloc or "#" in url:
            raise ValueError("must not have a user, a password or a fragment")
        if port == 0 or not (literal(host) if ":" in host else _HOST.fullmatch(host)):
            raise ValueError("must have a valid host and port")
        is_https = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(is_https, host, port or (443 if is_https else 80), path)


def check_url(url: str, *, allow_private: bool) -> Target:
    """Return the target of a new endpoint. Raises InvalidRequest.

    A name is not looked up here: whatever it means, each delivery checks the addresses that it then has.
    """
    try:
        target = Target.parse(url)
    except ValueError as error:
        raise InvalidRequest(f"Url {error}", "url") from None
    address = literal(target.host)
    if not allow_private and not target.is_https:
        raise InvalidRequest("Url must start with https://", "url")
    if not allow_private and address and not is_public(address):
        raise InvalidRequest("Url must not have a private address", "url")
    return target


def check_types(types: Sequence[str]) -> tuple[MessageType, ...]:
    """Return the types in their usual order, without repetitions. Raises InvalidRequest for an unknown one."""
    for given in types:
        if given not in TYPES:
            raise InvalidRequest(f"Types: {given[:40]!r} is none of {', '.join(TYPES)}", "types")
    return tuple(name for name in TYPES if name in types)


def new_webhook_id() -> str:
    """Return ten random Base32 characters."""
    return b32encode(secrets.token_bytes(7)).decode().lower()[:10]


def parse_webhook_id(text: str) -> str:
    """Return the id. Raises WebhookNotFound if it cannot be one."""
    if _ID.fullmatch(text) is None:
        raise WebhookNotFound
    return text


class Webhook(NamedTuple):
    """An endpoint. Without `event_id` it gets the messages of all events, without `types` those of all types.

    Times are in ms since 1970. It is paused if `paused_ms` is set, and `paused_why` then has the reason. Until
    `former_until_ms`, the secret that it had before signs too.
    """

    id: str
    url: str
    secret: str
    created_ms: int
    event_id: str | None = None
    types: tuple[MessageType, ...] = ()
    paused_ms: int | None = None
    paused_why: str | None = None
    former_secret: str | None = None
    former_until_ms: int | None = None

    def secrets_at(self, now_ms: int) -> tuple[str, ...]:
        """Return the secrets that sign at that time, the newest first."""
        former = self.former_secret
        return (self.secret, former) if former and now_ms < (self.former_until_ms or 0) else (self.secret,)

    def wants(self, message_type: MessageType) -> bool:
        return not self.types or message_type in self.types


class Failing(NamedTuple):
    """Consecutive failures of one cursor: their number, since when, when to try again, and the last reason."""

    attempts: int
    since_ms: int
    next_ms: int
    reason: str

    @classmethod
    def after(cls, before: "Failing | None", now_ms: int, reason: str, asked_s: int = 0) -> Self:
        """Return the state after one more failure: the wait doubles from 1 s to 5 min, with 10 % jitter.

        `asked_s` is how long the receiver asks to wait: it gets that, within the 5 min.
        """
        attempts = before.attempts + 1 if before else 1
        # At most 30: from 2 ** 1024 on a float overflows, and a month of failures has more attempts.
        backoff_s = min(_FIRST_WAIT_S * 2 ** min(attempts - 1, 30), _LONGEST_WAIT_S)
        wait_s = max(backoff_s * random.uniform(1 - _JITTER, 1 + _JITTER), min(asked_s, _LONGEST_WAIT_S))
        return cls(attempts, before.since_ms if before else now_ms, now_ms + int(wait_s * 1000), reason)


class DeliveryCursor(NamedTuple):
    """How far one endpoint has got with one event: `seq` of the ledger, `notice` of what is told beside it.

    `version` grows with each change of the row, so that of two writers the second notices.
    """

    webhook_id: str
    event_id: str
    seq: int
    notice: int
    version: int
    failing: Failing | None = None


class CursorReport(NamedTuple):
    """A cursor for people: the last position delivered, None before the first, and how many entries are left."""

    cursor: DeliveryCursor
    position: Position | None
    lag: int
