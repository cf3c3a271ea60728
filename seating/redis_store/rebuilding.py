"""Writing an inventory whole, from what SQL has of it: for a new event, and for one that Redis has lost or forked."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from redis.exceptions import ResponseError

from seating.domain.errors import InventoryUnavailable, Overtaken
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import LogEntry
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from seating.redis_store.calls import Argument, Calls, RedisUnavailable

LEASE_MS = 15_000
# Lua unpacks fewer than 8,000 values, and a step should not hold up Redis.
_VALUES_A_STEP = 2_000
_NOT_NOW = {b"LIVE": "seats are sold from it; pause the sale first", b"BUSY": "it is being rebuilt already"}


class Rebuilding:
    """One attempt, known by its `token`. Each step checks that the claim is still its own, and renews the lease."""

    def __init__(self, calls: Calls, event_id: str, token: str) -> None:
        self._calls = calls
        self._event_id = event_id
        self._token = token
        self._inventory = keys.inventory(event_id)

    def claim(self, *, close: bool = False) -> None:
        """Raises Overtaken if seats are sold from the inventory, or another attempt has claimed it.

        With `close`, an inventory on sale is taken off sale and claimed, provided that SQL has all of its log.
        """
        outcome = self._run("rebuild_claim", (self._inventory, keys.log(self._event_id)), (LEASE_MS, int(close)))
        if outcome != b"CLAIMED":
            raise Overtaken(_NOT_NOW[outcome])

    def give_up(self) -> None:
        """Lets another attempt begin at once, instead of when the lease is over."""
        with suppress(InventoryUnavailable, Overtaken):
            self._step((self._inventory,), "KEEP", lease_ms=0)

    def renew(self) -> None:
        """Keeps the claim while SQL is read."""
        self._step((self._inventory,), "KEEP")

    def write(self, last: LogEntry, state: InventoryState, plan: SeatingPlan | None, quarantined: list[str]) -> None:
        """Replaces whatever Redis has of the event by `state`, whose log goes on from `last`. Raises Overtaken."""
        event_id = self._event_id
        self._step(keys.all_of(event_id), "WIPE")
        if plan:
            self._step((self._inventory, keys.plan(event_id)), "SET", plan.pack())
            self._step((self._inventory, keys.longest_runs(event_id)), "SET", state.longest_runs)
            self._write_all(keys.seats(event_id), "HSET", _flat(enumerate(state.maps)))
        self._write_all(keys.idempotency(event_id), "HSET", _flat(state.idempotency.items()))
        self._write_all(keys.hold(event_id), "HSET", _flat((hold, str(kept)) for hold, kept in state.holds.items()))
        by_expiry = ((kept.until_ms, hold) for hold, kept in state.holds.items())
        self._write_all(keys.holds(event_id), "ZADD", _flat(by_expiry))
        self._write_all(keys.cancelled(event_id), "SADD", iter(sorted(state.cancelled)))
        self._write_all(keys.quarantined(event_id), "SADD", iter(quarantined))
        self._finish(last, state)
        self._ask("SADD", keys.OPEN_EVENTS, event_id)

    def _finish(self, last: LogEntry, state: InventoryState) -> None:
        epoch, seq = last.position
        fields = {
            "epoch": epoch,
            "seq": seq,
            "chain": last.link,
            "persisted": seq,
            "state": state.state,
            "capacity": state.capacity,
            "sold": state.sold,
            "held": state.held,
            "blocked": state.blocked,
            "updated": state.updated_ms,
        }
        event_keys = (self._inventory, keys.log(self._event_id))
        entry = (str(last.position), last.change, last.link)
        self._require_done(self._run("rebuild_finish", event_keys, (*entry, *_flat(fields.items()))))

    def _write_all(self, key: str, command: str, values: Iterator[Argument]) -> None:
        while part := list(islice(values, _VALUES_A_STEP)):
            self._step((self._inventory, key), command, *part)

    def _step(self, event_keys: Sequence[str], command: str, *values: Argument, lease_ms: int = LEASE_MS) -> None:
        self._require_done(self._run("rebuild_step", event_keys, (lease_ms, command, *values)))

    def _require_done(self, outcome: bytes) -> None:
        if outcome != b"DONE":
            raise Overtaken(outcome.decode())

    def _run(self, script: str, event_keys: Sequence[str], args: Sequence[Argument]) -> bytes:
        try:
            outcome: bytes = self._calls.script(script, event_keys, (self._token, *args))[0]
        except (RedisUnavailable, ResponseError) as error:
            raise InventoryUnavailable from error
        return outcome

    def _ask(self, *words: Argument) -> None:
        try:
            self._calls.command(*words)
        except (RedisUnavailable, ResponseError) as error:
            raise InventoryUnavailable from error


def _flat(pairs: Iterable[tuple[Any, Any]]) -> Iterator[Argument]:
    return (value for pair in pairs for value in pair)
