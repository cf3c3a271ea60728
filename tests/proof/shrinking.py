"""The smallest counterexample: drop requests while the checker still finds the same promise broken.

Delta debugging (Zeller and Hildebrandt, Simplifying and isolating failure-inducing input, 2002), over threads: all
requests about one key, purchase or hold, which explain one another. What was recorded by the stores stays, so a request
that is dropped counts as one whose answer nobody knows. Cancellations, releases and acts of the organiser are never
dropped, for they explain why a seat was sold again; only those of a thread that is left are told.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from tests.proof.checker import CHECKS
from tests.proof.evidence import Breach, Evidence
from tests.proof.final_state import FinalState
from tests.proof.history import Operation, RecordedHistory

_T = TypeVar("_T")

_DROPPED: Final = ("purchase", "hold", "hold_purchase", "extend", "get")
_WITHIN_S: Final = 10.0


def shrunk(
    breach: Breach, history: RecordedHistory, finals: Iterable[FinalState], within_s: float = _WITHIN_S
) -> Breach:
    """Return the breach with as few requests as were found to show it within a time."""
    final = next(final for final in finals if final.event == breach.event)
    deadline = time.monotonic() + within_s
    evidence = Evidence(history.of_event(final.event), final)
    kept = [one for one in evidence.history.operations if one.op not in _DROPPED]
    seat = _subject(breach) if _subject(breach) != breach.what else ""

    def shows(operations: Iterable[Operation]) -> bool:
        fewer = evidence.with_requests(sorted([*kept, *operations], key=lambda one: one.invoked), seat)
        found = CHECKS[breach.invariant](fewer)
        return any(one.invariant == breach.invariant and _subject(one) == _subject(breach) for one in found)

    if shows(()):  # The stores alone do.
        return breach
    threads = _threads(one for one in evidence.history.operations if one.op in _DROPPED)
    named = {id(one) for one in breach.operations}
    enough = [thread for thread in threads if any(id(one) in named for one in thread)]
    if not shows(_flat(enough)):
        enough = threads
    left = _flat(smallest(enough, lambda some: shows(_flat(some)), deadline))
    effects = [one for one in left if not _had_no_effect(one)]
    harmless = [one for one in left if _had_no_effect(one)]
    if harmless and shows(effects):
        harmless = []
    needed = smallest(harmless, lambda some: shows([*effects, *some]), deadline)
    told = {id(one): one for one in (*effects, *needed)}
    names = {name for one in told.values() for name in _names(one)}
    told |= {id(one): one for one in kept if names.intersection(_names(one)) or id(one) in named}
    is_smaller = len(told) < len(breach.operations) or not breach.operations
    return breach._replace(operations=tuple(told.values())) if is_smaller else breach


def smallest(parts: Sequence[_T], is_enough: Callable[[Sequence[_T]], bool], deadline: float) -> list[_T]:
    """Return parts that are enough, and of which none can be left out, if that is found before the deadline.

    `parts` are enough.
    """
    left, pieces = [*parts], 2
    while len(left) > 1 and time.monotonic() < deadline:
        size = -(-len(left) // pieces)
        without = (left[:at] + left[at + size :] for at in range(0, len(left), size))
        smaller = next((some for some in without if time.monotonic() < deadline and is_enough(some)), None)
        if smaller is not None:
            left, pieces = smaller, max(pieces - 1, 2)
        elif size == 1:
            break
        else:
            pieces = min(2 * pieces, len(left))
    return left


def _subject(breach: Breach) -> str:
    """Return what a breach is about: of an order of effects, only its seat, for the rest depends on the requests."""
    seat, found, _ = breach.what.partition(" was ")
    return seat if breach.invariant == "linearizable" and found else breach.what


def _threads(operations: Iterable[Operation]) -> list[list[Operation]]:
    """Group what names the same, directly or by a third."""
    thread_of: dict[str, list[Operation]] = {}
    for one in operations:
        names = [*_names(one)] or [f"request {id(one)}"]
        joined = {id(found): found for name in names if (found := thread_of.get(name)) is not None}
        thread = [*_flat(joined.values()), one]
        names += (name for other in thread for name in _names(other))
        thread_of.update(dict.fromkeys(names, thread))
    return [*{id(thread): thread for thread in thread_of.values()}.values()]


def _names(one: Operation) -> Iterator[str]:
    """Yield the key, purchase and hold that a request is about."""
    answer = one.answer or {}
    if one.key and one.op != "webhook":
        yield f"key {one.key}"
    yield from (f"purchase {name}" for name in (one.arguments.get("purchase"), answer.get("purchaseId")) if name)
    tokens = (one.arguments.get("hold"), one.arguments.get("holdToken"), answer.get("holdToken"))
    yield from (f"hold {name}" for name in tokens if name)


def _had_no_effect(one: Operation) -> bool:
    return one.outcome == "fail" or one.op == "get" or "Idempotent-Replayed" in one.headers


def _flat(threads: Iterable[Sequence[Operation]]) -> list[Operation]:
    return [one for thread in threads for one in thread]
