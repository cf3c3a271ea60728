"""The actor of an operator's act, as stored in log entries and the audit table."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

import orjson

MAX_WHY: Final = 1_000
"""The most characters of a reason."""

# Control characters, line separators, characters that change the text direction, and lone surrogates.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Actor(NamedTuple):
    """`name` is that of a person or key, or `cli:<login name>` for a command, which has no address and no request.

    `why` is the reason given, as `parse_why` returns it.
    """

    name: str
    address: str | None = None
    request_id: str | None = None
    why: str | None = None

    def fields(self) -> dict[str, str]:
        """Return the content of an entry's member `by`; unknown fields are left out."""
        named = {"name": self.name, "address": self.address, "request": self.request_id, "why": self.why}
        return {name: value for name, value in named.items() if value is not None}

    def member(self) -> str:
        """Return the member `by` of a JSON object, which scripts write verbatim into an entry."""
        return f'"by":{orjson.dumps(self.fields()).decode()}'

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self:
        """Parse the result of `fields`; ignore unknown fields."""
        return cls(fields["name"], fields.get("address"), fields.get("request"), fields.get("why"))


def parse_why(text: str) -> str:
    """Return a reason without surrounding spaces. Raises ValueError with the fault."""
    text = text.strip(" ")
    if not 1 <= len(text) <= MAX_WHY:
        raise ValueError(f"must have 1 to {MAX_WHY} characters")
    if _UNPRINTABLE.search(text):
        raise ValueError("must not have control characters")
    return text
