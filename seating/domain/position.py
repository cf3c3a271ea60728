"""A position in an event's log: `<epoch>-<seq>`, which is also the Redis stream's entry id."""

import re
from typing import NamedTuple, Self

# Neither number may outgrow what a Lua double holds exactly, nor a SQL BIGINT.
_FORM = re.compile(r"([1-9]\d{0,8})-([1-9]\d{0,13})", re.ASCII)


class Position(NamedTuple):
    """`seq` is dense (1, 2, 3 …) over all epochs; `epoch` is the number of a term, at least the seconds since 2020."""

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def of_entry(cls, entry_id: bytes) -> Self:
        """Read the id of a stream's entry, which Redis writes in the canonical form."""
        epoch, _, seq = entry_id.partition(b"-")
        return cls(int(epoch), int(seq))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for anything but the canonical form."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"not a position: {text[:40]!r}")
        return cls(int(match[1]), int(match[2]))
