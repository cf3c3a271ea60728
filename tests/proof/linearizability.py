"""Each seat is a register that behaves as if its operations took effect one by one, each between call and return.

The search is Wing and Gong's, in the form that keeps a set of possible configurations and narrows it at each return
(G. Lowe, Testing for linearizability, 2017). It knows requests and answers alone; the ledger only tells which seats a
request without an answer may have had. Besides, the ledger's own order must agree with that of the answers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tests.proof.evidence import Breach, Evidence
from tests.proof.history import Operation
from tests.proof.seat_calls import calls_by_seat, final_statuses
from tests.proof.seat_register import AVAILABLE, SeatCall, SeatStatus

MOST_CONFIGURATIONS = 10_000
"""A seat with more of them is left undecided; hundreds of requests without an answer, for one seat, would do that."""


class Configuration(NamedTuple):
    """A status that a seat may have, and which of the open calls have taken effect then."""

    status: SeatStatus
    done: frozenset[int]


@dataclass
class Verdict:
    """`calls` are those that cannot be explained, since the last moment at which the seat was `status` for sure."""

    is_linearizable: bool = True
    is_decided: bool = True
    status: SeatStatus = AVAILABLE
    calls: tuple[SeatCall, ...] = ()


def check(evidence: Evidence) -> Iterator[Breach]:
    yield from _order(evidence)
    if evidence.ledger.merged or evidence.ledger.had_off_sale:
        return  # What is merged, or taken off sale with its category, no call tells of.
    finals = final_statuses(evidence.final)
    for seat, calls in calls_by_seat(evidence).items():
        if evidence.seat not in ("", seat):
            continue
        verdict = search([*calls, SeatCall.final(finals[seat])])
        if not verdict.is_decided:
            yield Breach("linearizable", f"{seat} has too many requests without an answer to decide")
        if not verdict.is_linearizable:
            what = f"{seat} was {verdict.status}; then no order explains what was answered"
            if any(call.kind == "final" for call in verdict.calls):
                what += f", and that it is {finals[seat]} in the end"
            owner = [*evidence.bought.get(verdict.status.by, ()), *evidence.holds.get(verdict.status.by, ())][:1]
            involved = [*owner, *(one for call in verdict.calls for one in call.operations)]
            yield Breach("linearizable", what, tuple({id(one): one for one in involved}.values()))


def search(calls: Iterable[SeatCall]) -> Verdict:
    """Look for an order of effects that explains all answers."""
    numbered = list(calls)
    moments = [(call.invoked, 0, number) for number, call in enumerate(numbered)]
    moments += [(call.end, 1, number) for number, call in enumerate(numbered) if call.end != float("inf")]
    configurations = {Configuration(AVAILABLE, frozenset())}
    pending: set[int] = set()
    returned: set[str] = set()
    known, since = AVAILABLE, 0
    ordered = sorted(moments)
    last_loss = max((call.end for call in numbered if call.kind == "loss"), default=float("-inf"))
    for at, (moment, is_return, number) in enumerate(ordered):
        if not is_return:
            pending.add(number)
            continue
        reached = _reachable(configurations, pending, numbered)
        if len(reached) > MOST_CONFIGURATIONS:
            return Verdict(is_decided=False)
        pending.discard(number)
        returned.add(numbered[number].by)
        explained = [one for one in reached if number in one.done or numbered[number].kind == "loss"]
        over: set[int] = set()
        if moment > last_loss:
            # What may still end a hold or purchase that has ended is of no use any more.
            gone = returned.difference(one.status.by for one in explained)
            over = {which for which in pending if numbered[which].by in gone and numbered[which].ends_it}
            pending -= over
        configurations = {Configuration(one.status, one.done - {number, *over}) for one in explained}
        if not configurations:
            involved = dict.fromkeys(which for _, _, which in ordered[since : at + 1])
            shown = [numbered[which] for which in involved if which == number or not numbered[which].is_read]
            return Verdict(is_linearizable=False, status=known, calls=tuple(shown))
        (first, *more) = configurations
        if not more and not first.done and not any(numbered[which].end != float("inf") for which in pending):
            known, since = first.status, at + 1
    return Verdict()


def _reachable(start: set[Configuration], pending: set[int], calls: list[SeatCall]) -> set[Configuration]:
    """Return what may have become of `start` once any of the pending calls have taken effect, in any order."""
    reads = [number for number in pending if calls[number].is_read]
    changes = pending.difference(reads)
    found: set[Configuration] = set()
    waiting = list(start)
    while waiting and len(found) <= MOST_CONFIGURATIONS:
        status, done = waiting.pop()
        # A read that can be explained is: that never hurts, and halves the configurations.
        done |= {number for number in reads if number not in done and calls[number].after(status) is not None}
        one = Configuration(status, done)
        if one in found:
            continue
        found.add(one)
        for number in changes - done:
            happened = done if calls[number].may_repeat else done | {number}
            waiting += (Configuration(now, happened) for now in calls[number].outcomes(status))
    return found


def _order(evidence: Evidence) -> Iterator[Breach]:
    """What was asked for after something else was answered stands behind it in the ledger."""
    effects: list[tuple[int, int, int, Operation]] = []
    for seq, one, invoked, returned in _effects(evidence):
        effects.append((invoked, returned, seq, one))
    returns = sorted((returned, seq, one) for _, returned, seq, one in effects if returned)
    latest: tuple[int, Operation | None] = (0, None)
    at = 0
    for invoked, _, seq, one in sorted(effects, key=lambda effect: effect[0]):
        while at < len(returns) and returns[at][0] < invoked:
            latest = max(latest, (returns[at][1], returns[at][2]), key=lambda pair: pair[0])
            at += 1
        if seq < latest[0] and latest[1]:
            what = f"seq {seq} was asked for after seq {latest[0]} was answered"
            yield Breach("linearizable", what, (latest[1], one))


def _effects(evidence: Evidence) -> Iterator[tuple[int, Operation, int, int]]:
    """Yield seq, operation, first invocation and first return of each acknowledged purchase and hold."""
    asked = {same: min(one.invoked for one in ops) for same, ops in evidence.history.by_key().items()}
    for answers in [*evidence.bought.values(), *evidence.holds.values()]:
        with_entry = [one for one in answers if evidence.entry_of(one)]
        if with_entry:
            one = with_entry[0]
            invoked = min(asked.get((one.event, str(one.key)), one.invoked), *(other.invoked for other in answers))
            returned = min(other.returned or 0 for other in answers)
            position = str((one.answer or {})["position"])
            yield int(position.rpartition("-")[2]), one, invoked, returned
