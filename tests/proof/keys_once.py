"""I4: a key has one effect, and whoever repeats a request with it gets the same answer, byte for byte."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator

from tests.proof.evidence import Breach, Evidence, purchase_of
from tests.proof.history import Operation


def check(evidence: Evidence) -> Iterator[Breach]:
    for key, asked in evidence.history.by_key().items():
        yield from _answers(evidence, key[1], asked)
    yield from _hold_answers(evidence)
    yield from _effects(evidence)


def _answers(evidence: Evidence, key: str, asked: list[Operation]) -> Iterator[Breach]:
    """What was lost may be bought again with its key."""
    bought = [one for one in asked if one.outcome == "ok"]
    bought = [one for one in bought if purchase_of(one) in evidence.rows or not evidence.may_be_lost(one)]
    if len({purchase_of(one) for one in bought}) > 1:
        yield Breach("I4", f"key {key[:8]} has bought more than once", _pair(bought, purchase_of))
    elif len({one.body_sha for one in bought}) > 1:
        what = f"the answers to key {key[:8]} are not the same bytes"
        yield Breach("I4", what, _pair(bought, lambda one: one.body_sha))
    first_answers = [one for one in bought if "Idempotent-Replayed" not in one.headers]
    if len(first_answers) > 1:
        what = f"key {key[:8]} has {len(first_answers)} answers that are no repetition"
        yield Breach("I4", what, tuple(first_answers[:2]))
    wanted = {json.dumps(one.arguments, sort_keys=True) for one in bought}
    if len(wanted) > 1:
        what = f"key {key[:8]} was answered with success for different requests"
        yield Breach("I4", what, _pair(bought, lambda one: json.dumps(one.arguments, sort_keys=True)))


def _pair(ops: list[Operation], said: Callable[[Operation], object]) -> tuple[Operation, ...]:
    """Return the first two that differ in what they said."""
    return tuple({said(one): one for one in reversed(ops)}.values())[-2:]


def _hold_answers(evidence: Evidence) -> Iterator[Breach]:
    tokens: dict[str, dict[str, Operation]] = defaultdict(dict)
    for one in evidence.history.acknowledged("hold"):
        if one.key and not evidence.may_be_lost(one):
            tokens[one.key].setdefault(str((one.answer or {}).get("holdToken")), one)
    for key, holds in tokens.items():
        if len(holds) > 1:
            yield Breach("I4", f"key {key[:8]} has {len(holds)} holds", tuple(holds.values()))


def _effects(evidence: Evidence) -> Iterator[Breach]:
    """The ledger has one purchase, or one hold, for each key."""
    effects: dict[str, list[int]] = defaultdict(list)
    for seq, change in evidence.changes.items():
        if change["kind"] in ("purchased", "held") and change["idempotency"] and "original" not in change:
            effects[change["idempotency"]].append(seq)
    for seqs in effects.values():
        if len(seqs) > 1 and not evidence.may_lose:
            yield Breach("I4", f"one key has several entries in the ledger, of seqs {seqs}")
