"""Who asks: whoever has a key, which has a name and a role, or else anybody."""

import re
from enum import StrEnum
from typing import Final, NamedTuple


class Role(StrEnum):
    """What a key is for. `sell`: purchases and holds. `read`: what operators see. `operate`: everything."""

    SELL = "sell"
    OPERATE = "operate"
    READ = "read"


class Caller(NamedTuple):
    """Owner of idempotency keys, rate limits and held seats. Without a `role` it is all who have no key."""

    name: str
    role: Role | None = None


ANONYMOUS: Final = Caller("anonymous")
OPERATOR: Final = Caller("operator", Role.OPERATE)
"""Whoever has the ADMIN_TOKEN, or sits at a machine where none is needed."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


def is_key_name(text: str) -> bool:
    """Whether a key may be called that: the names that need no key are not to be had."""
    return _NAME.fullmatch(text) is not None and text not in (ANONYMOUS.name, OPERATOR.name)
