"""A breach told as a story: who asked for what, when, what was answered, and what was broken meanwhile."""

from collections.abc import Iterator

from tests.proof.evidence import MS, Breach
from tests.proof.history import InjectedFault, Operation, RecordedHistory

MOST_OPERATIONS = 30


def tell(breach: Breach, history: RecordedHistory) -> str:
    """Return lines of text, in order of time, in ms since the first request; of a long one its last part."""
    lines = [f"{breach.invariant}: {breach.what}"]
    operations = sorted(breach.operations, key=lambda one: one.invoked)
    if operations:
        start = operations[0].invoked
        if len(operations) > MOST_OPERATIONS:
            lines.append(f"    ({len(operations) - MOST_OPERATIONS} earlier requests are left out)")
        told = operations[-MOST_OPERATIONS:]
        end = max(one.returned or one.invoked for one in told)
        moments = [moment for one in told for moment in _moments(one)]
        moments += [moment for fault in history.faults if fault.begun <= end for moment in _fault(fault, told[0], end)]
        lines += [f"  {(at - start) / MS:9.1f} ms  {text}" for at, text in sorted(moments)]
    return "\n".join(lines)


def _moments(one: Operation) -> Iterator[tuple[int, str]]:
    who = f"client {one.client}"
    if one.op == "webhook":
        yield one.invoked, f"endpoint {one.client} gets {one.key}: {one.outcome}"
        return
    yield one.invoked, f"{who} asks: {_asked(one)}"
    if one.returned is None:
        yield one.invoked, f"{who} is never answered"
    else:
        yield one.returned, f"{who} is answered: {_answered(one)}"


def _asked(one: Operation) -> str:
    words = [one.op.replace("_", " ")]
    for name, value in one.arguments.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        words.append(f"{name} {shown[:6] + '…' if 'hold' in name.lower() else shown}")
    if one.key:
        words.append(f"with key {one.key[:8]}…")
    return " ".join(words)


def _answered(one: Operation) -> str:
    if one.status is None:
        return "nothing, the connection broke or the time was up"
    answer = one.answer or {}
    words = [str(one.status)]
    for name in ("error", "purchaseId", "seats", "seatsRemaining", "expiresInMs", "position", "state"):
        value = answer.get(name)
        if value not in (None, []):
            words.append(f"{name} {', '.join(value) if isinstance(value, list) else value}")
    words += [f"{name}: {value}" for name, value in one.headers.items() if name != "Position"]
    return " ".join(words)


def _fault(fault: InjectedFault, first: Operation, end: int) -> Iterator[tuple[int, str]]:
    """A fault that began before the story is told only if it lasted into it."""
    if fault.ended >= first.invoked:
        yield fault.begun, f"fault: {fault.fault} of {fault.target}"
        if fault.ended <= end:
            yield fault.ended, f"{fault.fault} of {fault.target} is over"
