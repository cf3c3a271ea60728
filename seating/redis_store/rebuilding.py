"""Writing an inventory whole, from what SQL has of it: for a new event, and for one that Redis has lost or forked.

It is written beside the event's keys and takes their place in one step, so an attempt that ends half-way changes
nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final, Literal

from seating.domain.errors import InventoryUnavailable, Overtaken
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.seating_plan import SeatingPlan, spots_text
from seating.redis_store import keys
from seating.redis_store.calls import Argument, Calls
from seating.redis_store.event_scripts import EventScripts

LEASE_MS: Final = 15_000
_PART_LIVES_MS: Final = 3_600_000
# Lua unpacks fewer than 8,000 values, and a step should not hold up Redis.
_VALUES_A_STEP: Final = 2_000
_NOT_NOW: Final = {b"LIVE": "seats are sold from it; pause the sale first", b"BUSY": "it is being rebuilt already"}

Claimable = Literal["closed", "recorded", "any"]


class Rebuilding:
    """One attempt, known by its `token`. Each step checks that the claim is still its own, and renews the lease."""

    def __init__(self, calls: Calls, event_id: str, token: str) -> None:
        self._scripts = EventScripts(calls)
        self._event_id = event_id
        self._token = token
        self._inventory = keys.inventory(event_id)
        self.claimed_ms = 0
        """By Redis's clock, which holds go by."""

    def claim(self, purpose: str, claimable: Claimable) -> None:
        """Raises Overtaken if the inventory sells and is not `claimable` so, or another attempt has claimed it.

        An inventory that sells is taken off sale if it is `recorded`, that is, SQL has all of its log, or in any case.
        """
        event_keys = (self._inventory, keys.log(self._event_id))
        args = (self._token, LEASE_MS, purpose, claimable)
        outcome, *now_ms = self._scripts.reply("rebuild_claim", event_keys, args)
        if outcome != b"CLAIMED":
            raise Overtaken(_NOT_NOW[outcome])
        self.claimed_ms = int(now_ms[0])

    def is_of(self, inventory: Mapping[str, str]) -> bool:
        """Whether this attempt has claimed this very inventory: during a failover two servers have one of its name."""
        return inventory.get("claim") == self._token

    def undo(self) -> None:
        """Lets go of the claim; the inventory is as it was, but closed."""
        with suppress(InventoryUnavailable):
            self._run("rebuild_undo", (self._inventory, keys.log(self._event_id)))

    def renew(self) -> None:
        """Keeps the claim while SQL is read."""
        self._require_done(self._run("rebuild_step", (self._inventory,), LEASE_MS))

    def write(
        self,
        last: LogEntry,
        state: InventoryState,
        plan: SeatingPlan | None,
        quarantined: Sequence[LogEntry],
        terms: dict[int, int],
        **named: str,
    ) -> None:
        """Replaces whatever Redis has of the event by `state`, whose log goes on from `last`. Raises Overtaken.

        `terms` are the first seqs of epochs, `named` further fields of the inventory.
        """
        event_id = self._event_id
        if plan:
            self._step(keys.plan(event_id), "SET", plan.pack())
            self._step(keys.longest_runs(event_id), "SET", state.longest_runs)
            self._write_all(keys.seats(event_id), "HSET", _flat(enumerate(state.maps)))
            spots = ((block, spots_text(of_block)) for block, of_block in enumerate(plan.spots) if of_block)
            self._write_all(keys.spots(event_id), "HSET", _flat(spots))
        self._write_all(keys.idempotency(event_id), "HSET", _flat(state.idempotency.items()))
        self._write_all(keys.hold(event_id), "HSET", _flat((hold, str(kept)) for hold, kept in state.holds.items()))
        by_expiry = ((kept.until_ms, hold) for hold, kept in state.holds.items())
        self._write_all(keys.holds(event_id), "ZADD", _flat(by_expiry))
        self._write_all(keys.cancelled(event_id), "HSET", _flat(state.cancelled.items()))
        asides = ((str(entry.position), f"{entry.link}|{entry.change}") for entry in quarantined)
        self._write_all(keys.quarantine(event_id), "HSET", _flat(asides))
        self._write_all(keys.terms(event_id), "HSET", _flat(terms.items()))
        self._finish(last, state, named)

    def _finish(self, last: LogEntry, state: InventoryState, named: dict[str, str]) -> None:
        epoch, seq = last.position
        fields = {
            "epoch": epoch,
            "seq": seq,
            "chain": last.link,
            "persisted": seq,
            "acknowledged": str(Checkpoint.of(last)),
            "state": state.state,
            "capacity": state.capacity,
            "sold": state.sold,
            "held": state.held,
            "blocked": state.blocked,
            "updated": state.updated_ms,
        }
        inventory, log, *others = keys.all_of(self._event_id)
        written = (keys.written_by(self._token, key) for key in others)
        entry = (str(last.position), last.change, last.link)
        args = (*entry, *_flat((fields | named).items()))
        self._require_done(self._run("rebuild_finish", (inventory, log, *others, *written), *args))

    def _write_all(self, key: str, command: str, values: Iterator[Argument]) -> None:
        while part := list(islice(values, _VALUES_A_STEP)):
            self._step(key, command, *part)

    def _step(self, key: str, command: str, *values: Argument) -> None:
        written = keys.written_by(self._token, key)
        args = (LEASE_MS, _PART_LIVES_MS, command, *values)
        self._require_done(self._run("rebuild_step", (self._inventory, written), *args))

    @staticmethod
    def _require_done(outcome: bytes) -> None:
        if outcome != b"DONE":
            raise Overtaken("another attempt has the claim")

    def _run(self, script: str, event_keys: Sequence[str], *args: Argument) -> bytes:
        outcome: bytes = self._scripts.reply(script, event_keys, (self._token, *args))[0]
        return outcome


def _flat(pairs: Iterable[tuple[Any, Any]]) -> Iterator[Argument]:
    return (value for pair in pairs for value in pair)
