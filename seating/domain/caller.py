"""The caller of a request: the owner of an API key, with a name and a role, or an anonymous one."""

import re
from enum import StrEnum
from typing import Final, NamedTuple


class Role(StrEnum):
    """What a key is for. `sell`: purchases and holds. `read`: what operators see. `operate`: everything."""

    SELL = "sell"
    OPERATE = "operate"
    READ = "read"


class Caller(NamedTuple):
    """Owner of idempotency keys, rate limits and held seats. The one without a `role` is everybody without a key."""

    name: str
    role: Role | None = None


ANONYMOUS: Final = Caller("anonymous")
OPERATOR: Final = Caller("operator", Role.OPERATE)
"""The owner of ADMIN_TOKEN, or a person at a machine where no key is needed."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


def is_key_name(text: str) -> bool:
    """Return whether a key may have this name. The names of callers without a key are reserved."""
    return _NAME.fullmatch(text) is not None and text not in (ANONYMOUS.name, OPERATOR.name)
