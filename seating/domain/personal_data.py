"""What a shop says of its customer, which can be erased without breaking the log.

It travels beside the log entry of its purchase as a text of its own. The entry, and so the hash chain, has only the
text's hash; a random salt in the text keeps anybody from guessing what was erased.
"""

import hashlib
import json
import secrets
from typing import Any, Final, NamedTuple, Self

MAX_BUYER: Final = 64
MAX_REFERENCE: Final = 64
MAX_NOTE: Final = 200


class PersonalData(NamedTuple):
    """`buyer` is the shop's own id of its customer, `reference` its order number. None was not given, or is erased."""

    buyer: str | None = None
    reference: str | None = None
    note: str | None = None

    def to_text(self) -> str:
        """As an entry carries it, with a new salt; "" for nothing."""
        given = {name: value for name, value in self._asdict().items() if value is not None}
        return _json({"salt": secrets.token_hex(16)} | given) if given else ""

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Reads what `to_text` wrote."""
        return cls.of(json.loads(text)) if text else cls()

    @classmethod
    def of(cls, said: dict[str, Any]) -> Self:
        return cls(said.get("buyer"), said.get("reference"), said.get("note"))


def hash_of(text: str) -> str:
    """What an entry says of the text beside it: SHA-1 in hex, as purchase.lua computes it."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def text_of(said: dict[str, Any] | None) -> str | None:
    """The text that was read as `said`, to the letter."""
    return _json(said) if said else None


def _json(said: dict[str, Any]) -> str:
    # Never by another encoder: a text that was read is written anew to the letter, or its hash would not match.
    return json.dumps(said, separators=(",", ":"))
