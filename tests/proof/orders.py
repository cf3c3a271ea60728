"""What the processes of a sale are told to do: a JSON file for each."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self


class _Orders:
    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)))  # type: ignore[call-overload]

    @classmethod
    def read(cls, file: str) -> Self:
        return cls(**json.loads(Path(file).read_text()))


@dataclass(frozen=True)
class LoadOrders(_Orders):
    """`venues` are dictionaries of Venue; the last seated one is paused now and then. `think_s` is a mean."""

    port: int
    seed: int
    buyers: int
    think_s: float
    history: str
    venues: list[dict[str, Any]]


@dataclass(frozen=True)
class WatchOrders(_Orders):
    """`viewers` by event; `seats` are each event's, in the plan's order.

    `hooks_port` is the receivers'; `hooks_from` has the seq of the first entry that each of them is sent.
    """

    port: int
    hooks_port: int
    hooks_from: list[int]
    history: str
    viewers: dict[str, int]
    seats: dict[str, list[str]]
