"""A position in an event's log: `<epoch>-<seq>`, which is also the Redis stream's entry id."""

import re
from typing import NamedTuple, Self

# Neither number may exceed what a Lua double represents exactly, or a SQL BIGINT.
_FORM = re.compile(r"([1-9]\d{0,8})-([1-9]\d{0,13})", re.ASCII)


class Position(NamedTuple):
    """`seq` has no gaps (1, 2, 3 …) across epochs; `epoch` is a term's number, at least the seconds since 2020."""

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def of_entry(cls, entry_id: bytes) -> Self:
        """Parse a stream entry's id, which Redis writes in canonical form."""
        epoch, _, seq = entry_id.partition(b"-")
        return cls(int(epoch), int(seq))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a position. Raises ValueError for anything but the canonical form."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"not a position: {text[:40]!r}")
        return cls(int(match[1]), int(match[2]))
