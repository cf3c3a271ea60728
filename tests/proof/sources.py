"""I3: whatever is recorded was asked for, by a request that was answered with success or whose outcome is unknown."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from seating.domain.seat_status import SETTABLE
from tests.proof.evidence import Breach, Evidence, field_of, token_id
from tests.proof.history import Operation


def check(evidence: Evidence) -> Iterator[Breach]:
    yield from _purchases(evidence)
    yield from _holds(evidence)
    yield from _acts(evidence)


def _purchases(evidence: Evidence) -> Iterator[Breach]:
    asked: dict[str, list[Operation]] = defaultdict(list)
    for one in evidence.history.operations:
        if one.op in ("purchase", "hold_purchase") and one.key:
            asked[field_of(one)].append(one)
    recorded = set()
    for seq, change in evidence.changes.items():
        if change["kind"] != "purchased":
            continue
        by = asked.get(change["idempotency"], [])
        recorded.add(change["nonce"])
        if not any(one.may_have_happened for one in by):
            yield Breach("I3", f"nobody who may have bought asked for the purchase at seq {seq}", tuple(by))
        elif not any(_is_for(evidence, one, change) for one in by if one.may_have_happened):
            yield Breach("I3", f"the purchase at seq {seq} is not what was asked for with its key", tuple(by))
    for row in evidence.final.purchases:
        if row.id.rpartition(".")[2] not in recorded and not evidence.ledger.merged:
            yield Breach("I3", f"the ledger has no entry of {row.id}")


def _is_for(evidence: Evidence, one: Operation, change: dict[str, Any]) -> bool:
    if one.arguments.get("holdToken"):
        return bool(change.get("hold") == token_id(one))
    if one.arguments.get("seats"):
        return set(evidence.final.ids_of(change["runs"])) == set(one.arguments["seats"])
    return bool(change["quantity"] == one.arguments.get("quantity"))


def _holds(evidence: Evidence) -> Iterator[Breach]:
    """A hold without a key and without a response can be told by its size alone."""
    unknown = [one for one in evidence.history.operations if one.op == "hold" and one.outcome == "unknown"]
    fields = {field_of(one) for one in unknown if one.key}
    sizes = Counter(_size(one) for one in unknown if not one.key)
    for seq, change in evidence.changes.items():
        if change["kind"] != "held" or change["hold"] in evidence.holds or change["idempotency"] in fields:
            continue
        sizes[change["quantity"]] -= 1
        if sizes[change["quantity"]] < 0:
            yield Breach("I3", f"nobody who may hold seats asked for the hold at seq {seq}")


def _size(one: Operation) -> int:
    return int(one.arguments.get("quantity") or len(one.arguments.get("seats", ())))


def _acts(evidence: Evidence) -> Iterator[Breach]:
    """Changes of holds, cancellations, and acts of the organiser."""
    possible = [one for one in evidence.history.operations if one.may_have_happened]
    on_hold = {(one.op, token_id(one)) for one in possible if one.op in ("release", "extend")}
    cancelled = {str(one.arguments.get("purchase")) for one in possible if one.op == "cancel"}
    cancelled = {purchase.split(".")[-2] for purchase in cancelled if purchase.count(".") > 1}
    statuses = {SETTABLE.get(one.arguments.get("status", "")) for one in possible if one.op == "set_seats"}
    states = {one.arguments.get("state") for one in possible if one.op == "state"}
    for seq, change in evidence.changes.items():
        match change["kind"]:
            case "released" if not change["expired"]:
                is_asked_for = ("release", change["hold"]) in on_hold
            case "extended":
                is_asked_for = ("extend", change["hold"]) in on_hold
            case "cancelled":
                is_asked_for = change["purchase"] in cancelled
            case "seat_set":
                is_asked_for = change["status"] in statuses
            case "state":
                is_asked_for = change["state"] in states
            case _:
                continue
        if not is_asked_for:
            yield Breach("I3", f"nobody asked for what the ledger has at seq {seq}: {change['kind']}")
