"""I11: each endpoint accepted every change at least once, in order, and repetitions say the same."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from tests.proof.evidence import Breach, Evidence
from tests.proof.history import InjectedFault, Operation


def check(evidence: Evidence) -> Iterator[Breach]:
    endpoints: dict[int, list[Operation]] = defaultdict(list)
    for one in evidence.history.operations:
        if one.op == "webhook":
            endpoints[one.client].append(one)
    expected = _messages(evidence)
    for endpoint, came in endpoints.items():
        for breach in (*_endpoint(endpoint, came, expected), *_repetitions(came, evidence.history.faults)):
            # What was told before both stores went back is in neither.
            if not (evidence.may_lose and "does not have" in breach.what):
                yield breach


def _messages(evidence: Evidence) -> dict[str, int]:
    """The ids of the messages that the ledger makes, and the seq of each one's entry."""
    return {
        f"msg_{evidence.final.event}.{change.get('original') or evidence.positions[seq]}": seq
        for seq, change in evidence.changes.items()
        if _makes_a_message(change)
    }


def _makes_a_message(change: dict[str, Any]) -> bool:
    if change["kind"] == "released":
        return bool(change["expired"])
    return change["kind"] in ("purchased", "cancelled", "opened", "state", "merged")


def _endpoint(endpoint: int, came: list[Operation], expected: dict[str, int]) -> Iterator[Breach]:
    """`came` is in order. Messages before `from_seq`, where a delivery names one, were not meant for the endpoint."""
    accepted = [one for one in came if one.outcome == "ok"]
    first = {one.key: one for one in reversed(accepted)}
    from_seq = min((one.arguments.get("from_seq", 0) for one in came), default=0)
    missing = [message for message, seq in expected.items() if seq >= from_seq and message not in first]
    if missing:
        what = f"endpoint {endpoint} never accepted {missing[0]}"
        yield Breach("I11", what + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""))
    last = 0
    for message, one in sorted(first.items(), key=lambda pair: pair[1].invoked):
        seq = expected.get(str(message))
        if seq is None:
            if ".loss." not in str(message):
                yield Breach("I11", f"endpoint {endpoint} got {message}, which the ledger does not have", (one,))
            continue
        if seq < last:
            yield Breach("I11", f"endpoint {endpoint} got {message} after a later one", (one,))
        last = max(last, seq)


def _repetitions(came: list[Operation], faults: Sequence[InjectedFault]) -> Iterator[Breach]:
    bodies: dict[str, Operation] = {}
    for one in came:
        before = bodies.setdefault(str(one.key), one)
        if before.body_sha == one.body_sha or (one.answer or {}).get("type") == "event.state":
            continue
        if ".loss." in str(one.key) and _went_back(before, one, faults):
            bodies[str(one.key)] = one
        else:
            yield Breach("I11", f"{one.key} was sent with different bodies", (before, one))


def _went_back(first: Operation, second: Operation, faults: Sequence[InjectedFault]) -> bool:
    """Whether SQL was put back from a copy meanwhile: then it noted the loss again, at another time."""
    return any(
        fault.target == "sql" and "restored older" in fault.fault
        for fault in faults
        if fault.begun <= second.invoked and fault.ended >= first.invoked
    )
