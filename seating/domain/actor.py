"""Who changes something as an operator, as log entries and the audit table name them."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

import orjson

MAX_WHY: Final = 1_000
"""Characters of a reason."""

# Controls, line separators, what turns the direction of text around, and halves of characters.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Actor(NamedTuple):
    """`name` is that of a person or a key, or `cli:<login name>` of a command, which has no address and no request.

    `why` is the reason that the actor gave, as `parse_why` returns it.
    """

    name: str
    address: str | None = None
    request_id: str | None = None
    why: str | None = None

    def fields(self) -> dict[str, str]:
        """As the member `by` of an entry has them; what is not known is left out."""
        named = {"name": self.name, "address": self.address, "request": self.request_id, "why": self.why}
        return {name: value for name, value in named.items() if value is not None}

    def member(self) -> str:
        """The member `by` of a JSON object, as scripts write it verbatim into an entry."""
        return f'"by":{orjson.dumps(self.fields()).decode()}'

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self:
        """Reads what `fields` returns, and ignores what this version does not know."""
        return cls(fields["name"], fields.get("address"), fields.get("request"), fields.get("why"))


def parse_why(text: str) -> str:
    """Return a reason without the spaces around it. Raises ValueError with what is wrong with it."""
    text = text.strip(" ")
    if not 1 <= len(text) <= MAX_WHY:
        raise ValueError(f"must have 1 to {MAX_WHY} characters")
    if _UNPRINTABLE.search(text):
        raise ValueError("must not have control characters")
    return text
