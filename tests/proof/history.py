"""The history of a run: what each client asked and was answered, the faults meanwhile, and the maps of viewers.

A file has one JSON object a line. Moments are ns of CLOCK_MONOTONIC, which all processes of a machine share, so files
of several processes make one history. Lines of three forms, told apart by their fields:

- an operation: {"client", "op", "event", "key", "arguments", "invoked", "returned", "outcome", "status", "answer",
  "body_sha", "headers"}
- a fault: {"fault", "begun", "ended", "may_lose", "target"}
- the map of a viewer, or that of the server at rest: {"client", "op": "feed", "event", "position", "seats"}
"""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["ok", "fail", "unknown"]

Kind = Literal[
    "purchase", "hold", "release", "extend", "hold_purchase", "cancel", "set_seats", "state", "get", "webhook"
]

_PURCHASED = {"purchaseId", "position", "quantity", "seats", "seatsRemaining"}
ANSWER_FIELDS = _PURCHASED | {"holdToken", "expiresInMs", "state", "changed", "lag", "error", "code", "type", "id"}
KEPT_HEADERS = ("Preference-Applied", "Idempotent-Replayed", "Position", "Retry-After")


@dataclass(frozen=True, slots=True)
class Operation:
    """A request and what came of it; or, with op `webhook`, a message that an endpoint received.

    `outcome` is ok for a 2xx, fail for a refusal that says that nothing was done (4xx), and else unknown: no response,
    a broken one, any 5xx. `arguments` is the body that was sent, and what the path names: `hold` (its token) or
    `purchase` (its id); `caller` is the name of its API key, if it had one. `answer` is what ANSWER_FIELDS name of the
    response; `body_sha` is the SHA-256 of its body.

    Of a webhook's message, `client` numbers the endpoint, `key` is the message's id, `answer` its body, and `invoked`
    the moment when it came; it is ok if the endpoint accepted it.
    """

    client: int
    op: Kind
    event: str
    key: str | None
    arguments: dict[str, Any]
    invoked: int
    returned: int | None = None
    outcome: Outcome = "unknown"
    status: int | None = None
    answer: dict[str, Any] | None = None
    body_sha: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """The moment of the return; infinite where the outcome is unknown: it may take effect at any time."""
        return float("inf") if self.returned is None or self.outcome == "unknown" else self.returned

    @property
    def may_have_happened(self) -> bool:
        return self.outcome != "fail"


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """`may_lose` is whether confirmed changes may be lost by it; no fault of one machine with its disks intact may."""

    fault: str
    begun: int
    ended: int
    may_lose: bool
    target: str


@dataclass(frozen=True, slots=True)
class ViewerMap:
    """What a viewer's map shows at rest: a letter for each seat in the plan's order, as the snapshot route has them.

    `client` is negative for the snapshot itself.
    """

    client: int
    event: str
    position: str
    seats: str


Line = Operation | InjectedFault | ViewerMap


@dataclass(slots=True)
class RecordedHistory:
    operations: list[Operation] = field(default_factory=list)
    faults: list[InjectedFault] = field(default_factory=list)
    maps: list[ViewerMap] = field(default_factory=list)

    @classmethod
    def of(cls, lines: Iterable[Line]) -> "RecordedHistory":
        history = cls()
        for line in lines:
            match line:
                case Operation():
                    history.operations.append(line)
                case InjectedFault():
                    history.faults.append(line)
                case ViewerMap():
                    history.maps.append(line)
        history.operations.sort(key=lambda one: one.invoked)
        history.faults.sort(key=lambda one: one.begun)
        return history

    @classmethod
    def read(cls, *files: Path) -> "RecordedHistory":
        """Return the one history of several files."""
        return cls.of(line for file in files for line in read_lines(file))

    def lines(self) -> Iterator[Line]:
        yield from self.operations
        yield from self.faults
        yield from self.maps

    def of_event(self, event: str) -> "RecordedHistory":
        """Return the part about one event, with all faults."""
        operations = [one for one in self.operations if one.event == event]
        return RecordedHistory(operations, self.faults, [one for one in self.maps if one.event == event])

    def acknowledged(self, *ops: str) -> list[Operation]:
        """Return the operations of these kinds that were answered with success."""
        return [one for one in self.operations if one.op in ops and one.outcome == "ok"]

    def by_key(self) -> dict[tuple[str, str], list[Operation]]:
        """Return the purchases of each event and key, in the order of their invocations."""
        keyed = [one for one in self.operations if one.key and one.op in ("purchase", "hold_purchase")]
        keyed.sort(key=lambda one: (one.event, one.key, one.invoked))
        return {same: list(group) for same, group in groupby(keyed, key=lambda one: (one.event, str(one.key)))}


def outcome_of(status: int | None) -> Outcome:
    """Return what a status says of the request; `None` is no response."""
    if status is not None and 200 <= status < 300:
        return "ok"
    return "fail" if status is not None and 400 <= status < 500 else "unknown"


def no_lag(event: str) -> Operation:
    """Return a look into SQL that has just found that it has everything; the checker asks for one after each fault."""
    now = time.monotonic_ns()
    return Operation(0, "get", event, None, {"lag": True}, now, now, "ok", 200, {"lag": 0})


class HistoryFile:
    """Append lines to a file, each in one write. Record each request that was sent, also one without a response."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def add(self, line: Line) -> None:
        self._file.write(json.dumps(as_object(line), separators=(",", ":")).encode() + b"\n")

    def answered(
        self,
        asked: Operation,
        status: int | None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Operation:
        """Record how a request ended now; without a status if no complete response came. Returns what it recorded."""
        outcome = outcome_of(status)
        done = Operation(
            **{name: getattr(asked, name) for name in ("client", "op", "event", "key", "arguments", "invoked")},
            returned=time.monotonic_ns(),
            outcome=outcome,
            status=status,
            answer=_answer_of(body),
            body_sha=hashlib.sha256(body).hexdigest() if body is not None else None,
            headers={name: value for name, value in (headers or {}).items() if name in KEPT_HEADERS},
        )
        self.add(done)
        return done

    def close(self) -> None:
        self._file.close()


def as_object(line: Line) -> dict[str, Any]:
    """Return a line as the file has it."""
    # Not by asdict, which copies what is in the fields: that costs as much as a request.
    found = {name: getattr(line, name) for name in line.__slots__}
    return found | {"op": "feed"} if isinstance(line, ViewerMap) else found


def read_lines(file: Path) -> Iterator[Line]:
    """Yield what a file has. Raises ValueError for a line that is cut off."""
    with file.open("rb") as lines:
        for line in lines:
            yield parse(json.loads(line))


def parse(line: dict[str, Any]) -> Line:
    if "fault" in line:
        return InjectedFault(**line)
    if line["op"] == "feed":
        return ViewerMap(**{name: value for name, value in line.items() if name != "op"})
    return Operation(**line)


def _answer_of(body: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(body) if body else None
    except ValueError:
        return None
    return {name: found[name] for name in ANSWER_FIELDS if name in found} if isinstance(found, dict) else None
