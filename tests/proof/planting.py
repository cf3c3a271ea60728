"""A recorded run that can be changed, to plant faults into it; and the list of those that are planted."""

import json
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from tests.proof.evidence import purchase_of
from tests.proof.final_state import BoughtRow, FinalState
from tests.proof.history import Operation, RecordedHistory


@dataclass
class RecordedRun:
    """A copy of a recorded run, to be changed."""

    history: RecordedHistory
    finals: list[FinalState]

    @property
    def hall(self) -> FinalState:
        return self.finals[0]

    @property
    def floor(self) -> FinalState:
        return self.finals[1]

    def copy(self) -> "RecordedRun":
        """What lists and dicts hold is not changed, so it may be shared."""
        return RecordedRun(_copied(self.history), [_copied(final) for final in self.finals])

    def find(self, *ops: str, outcome: str = "ok", **wanted: Any) -> list[Operation]:
        """Return operations on the hall, by answer's fields."""
        return [
            one
            for one in self.history.operations
            if one.event == self.hall.event and one.op in ops and one.outcome == outcome
            if all((one.answer or {}).get(name) == value for name, value in wanted.items())
        ]

    def put(self, old: Operation, **new: Any) -> Operation:
        """Replace an operation by one that differs from it."""
        changed = replace(old, **new)
        self.history.operations[self.history.operations.index(old)] = changed
        self.history.operations.sort(key=lambda one: one.invoked)
        return changed

    def answer(self, old: Operation, **fields: Any) -> Operation:
        return self.put(old, answer={**(old.answer or {}), **fields})

    def add(self, like: Operation, **new: Any) -> Operation:
        added = replace(like, **new)
        self.history.operations.append(added)
        self.history.operations.sort(key=lambda one: one.invoked)
        return added

    def forget(self, *ops: Operation) -> None:
        self.history.operations = [one for one in self.history.operations if one not in ops]

    def end(self) -> int:
        return max(one.returned or one.invoked for one in self.history.operations)

    def row(self, number: int = 0) -> BoughtRow:
        """A recorded purchase of the hall that is not cancelled."""
        return [row for row in self.hall.purchases if not row.cancelled][number]

    def put_row(self, old: BoughtRow, **new: Any) -> None:
        rows = self.hall.purchases
        rows[rows.index(old)] = old._replace(**new)

    def bought(self, row: BoughtRow) -> list[Operation]:
        return [one for one in self.find("purchase", "hold_purchase") if purchase_of(one) == row.id]

    def remove(self, row: BoughtRow) -> None:
        """From the tables; the ledger keeps it."""
        self.hall.purchases.remove(row)
        self.hall.sold_seats = [sold for sold in self.hall.sold_seats if sold[1] != row.id]

    def entry(self, kind: str, number: int = 0, **wanted: Any) -> tuple[int, dict[str, Any]]:
        """The index and the change of one in the hall's ledger."""
        changes = [(at, json.loads(line.change)) for at, line in enumerate(self.hall.ledger)]
        is_it = [(at, one) for at, one in changes if one["kind"] == kind and wanted.items() <= one.items()]
        return is_it[number]

    def put_entry(self, at: int, change: dict[str, Any]) -> None:
        """Without making the chain right."""
        line = self.hall.ledger[at]
        self.hall.ledger[at] = line._replace(change=json.dumps(change, separators=(",", ":")))


def _copied(of: Any) -> Any:
    return type(of)(*(copy(getattr(of, field.name)) for field in fields(of)))


Plant = Callable[[RecordedRun], None]
PLANTED: Final[list[tuple[str, Plant]]] = []


def breaks(invariant: str) -> Callable[[Plant], Plant]:
    def note(plant: Plant) -> Plant:
        PLANTED.append((invariant, plant))
        return plant

    return note
