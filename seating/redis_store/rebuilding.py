"""Write a whole inventory to Redis from SQL's record: for a new event, or one that Redis lost or forked.

It is written to temporary keys that replace the event's keys in one step, so an interrupted attempt changes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final, Literal

from seating.domain.errors import InventoryUnavailable
from seating.domain.hold import pack_notes
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.recovery_errors import Overtaken
from seating.domain.seating_plan import SeatingPlan, spots_text, to_middles_text
from seating.redis_store import keys
from seating.redis_store.book_snapshot import aside_text
from seating.redis_store.calls import Argument, Calls
from seating.redis_store.event_scripts import EventScripts

# What an attempt wrote that died expires by itself.
_PART_LIVES_MS: Final = 3_600_000
# Lua's unpack fails near 8,000 values, and a step must not block Redis for long.
_VALUES_A_STEP: Final = 2_000
_NOT_NOW: Final = {b"LIVE": "the event is on sale; pause the sale first", b"BUSY": "it is already being rebuilt"}

Claimable = Literal["closed", "recorded", "any"]


class Rebuilding:
    """One attempt, identified by its `token`. Each step checks that it still has the claim and renews the lease."""

    def __init__(self, calls: Calls, event_id: str, token: str) -> None:
        self._scripts = EventScripts(calls)
        self._event_id = event_id
        self._token = token
        self._inventory = keys.inventory(event_id)
        self.claimed_ms = 0
        """When it was claimed, by Redis's clock, as are the expiries of holds."""

    def claim(self, purpose: str, claimable: Claimable) -> None:
        """Claim the inventory. Raises Overtaken if another attempt has the claim, or `claimable` rules it out.

        `claimable` says which inventories to claim, taking them off sale: only "closed" ones, also those whose log is
        completely "recorded" in SQL, or "any".
        """
        event_keys = (self._inventory, keys.log(self._event_id))
        args = (self._token, purpose, claimable)
        outcome, *now_ms = self._scripts.reply("rebuild_claim", event_keys, args)
        if outcome != b"CLAIMED":
            raise Overtaken(_NOT_NOW[outcome])
        self.claimed_ms = int(now_ms[0])

    def is_of(self, inventory: Mapping[str, str]) -> bool:
        """Return whether this attempt claimed this inventory. During a failover, two servers may each have one."""
        return inventory.get("claim") == self._token

    def undo(self) -> None:
        """Release the claim. The inventory stays as it was, but closed."""
        # If Redis does not answer, the lease ends by itself.
        with suppress(InventoryUnavailable):
            self._run("rebuild_undo", (self._inventory, keys.log(self._event_id)))

    def renew(self) -> None:
        """Renew the lease while SQL or the log is being read. Raises Overtaken."""
        self._require_done(self._run("rebuild_step", (self._inventory,)))

    def write(
        self,
        last: LogEntry,
        state: InventoryState,
        plan: SeatingPlan | None,
        quarantined: Sequence[LogEntry],
        terms: dict[int, int],
        **named: str,
    ) -> None:
        """Replace all that Redis has of the event with `state`; its log continues from `last`. Raises Overtaken.

        `terms` maps each epoch to its first seq; `named` are further fields of the inventory.
        """
        event_id = self._event_id
        if plan:
            self._step(keys.plan(event_id), "SET", plan.pack())
            self._step(keys.longest_runs(event_id), "SET", state.longest_runs)
            spots = ((block, spots_text(of_block)) for block, of_block in enumerate(plan.spots) if of_block)
            self._write_all(keys.spots(event_id), "HSET", _flat(spots))
            self._write_all(keys.spots(event_id), "HSET", _flat(_to_middles(plan)))
        self._write_all(keys.seats(event_id), "HSET", _flat(enumerate(state.maps)))
        self._write_all(keys.idempotency(event_id), "HSET", _flat(state.idempotency.items()))
        self._write_all(keys.hold(event_id), "HSET", _flat((hold, str(kept)) for hold, kept in state.holds.items()))
        by_expiry = ((kept.until_ms, hold) for hold, kept in state.holds.items())
        self._write_all(keys.holds(event_id), "ZADD", _flat(by_expiry))
        self._write_all(keys.notes(event_id), "HSET", _flat(pack_notes(state.notes).items()))
        self._write_all(keys.cancelled(event_id), "HSET", _flat(state.cancelled.items()))
        self._write_all(keys.buyers(event_id), "HSET", _flat(state.buyers.items()))
        asides = ((str(entry.position), aside_text(entry)) for entry in quarantined)
        self._write_all(keys.quarantine(event_id), "HSET", _flat(asides))
        self._write_all(keys.terms(event_id), "HSET", _flat(terms.items()))
        self._finish(last, state, named)

    def _finish(self, last: LogEntry, state: InventoryState, named: dict[str, str]) -> None:
        epoch, seq = last.position
        fields = {
            "epoch": epoch,
            "seq": seq,
            "chain": last.link,
            # It is written from SQL's record, so SQL has all of it.
            "persisted": seq,
            "acknowledged": str(Checkpoint.of(last)),
            "state": state.state,
            "capacity": state.capacity,
            "sold": state.sold,
            "held": state.held,
            "blocked": state.blocked,
            "updated": state.updated_ms,
        }
        if state.organised:
            fields["organised"] = state.organised
        if state.offer:
            fields |= {name: value for name, value in state.offer.inventory_fields().items() if value}
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
        args = (_PART_LIVES_MS, command, *values)
        self._require_done(self._run("rebuild_step", (self._inventory, written), *args))

    @staticmethod
    def _require_done(outcome: bytes) -> None:
        if outcome != b"DONE":
            raise Overtaken("another attempt has the claim")

    def _run(self, script: str, event_keys: Sequence[str], *args: Argument) -> bytes:
        outcome: bytes = self._scripts.reply(script, event_keys, (self._token, *args))[0]
        return outcome


def _to_middles(plan: SeatingPlan) -> Iterator[tuple[str, str]]:
    for block, to_middles in enumerate(plan.to_middles):
        text = to_middles_text((run.start for run in plan.rows_of(block)), to_middles)
        if text:
            yield f"m{block}", text


def _flat(pairs: Iterable[tuple[Any, Any]]) -> Iterator[Argument]:
    return (value for pair in pairs for value in pair)
