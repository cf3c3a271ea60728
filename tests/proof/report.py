"""What a chaos run showed: how fast the sale went on after each fault, what was broken, a table and a timeline."""

import json
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import accumulate, zip_longest
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from tests.proof.final_state import FinalState
from tests.proof.history import Operation, RecordedHistory
from tests.proof.timeline import drawn

_NS: Final = 1_000_000_000
_BOUGHT: Final = ("purchase", "hold_purchase")
RECOVERY_SEEN_WITHIN_S: Final = 30.0
"""How long a run waits for the sale to go on before it injects the next fault, unless it is meant to hurry."""


@dataclass(frozen=True)
class Survived:
    """A fault, in seconds from the first request on.

    `recovery_s` is None if the next fault began before it, as one in five does on purpose: then it is that one's, too.
    `in_loss` says that this one began before the sale had recovered from one that may lose.
    """

    kind: str
    target: str
    may_lose: bool
    begun_s: float
    ended_s: float
    recovery_s: float | None
    in_loss: bool = False

    @property
    def is_local(self) -> bool:
        return not self.may_lose and not self.in_loss


@dataclass(frozen=True)
class ChaosOutcome:
    """Figures of a run. `per_second` are acknowledged purchases; `lost` those reported as lost."""

    database: str
    seed: int
    run_s: float
    requests: int
    acknowledged: int
    unknown: int
    behind_s: float
    faults: list[Survived]
    skipped: dict[str, str]
    per_second: list[int]
    lost: int
    breaches: list[str]
    redis: str = "single"

    @property
    def stores(self) -> str:
        return self.database if self.redis == "single" else f"{self.database}-{self.redis}"

    def write(self, folder: Path) -> None:
        (folder / "outcome.json").write_text(json.dumps(asdict(self), indent=1))
        (folder / "table.txt").write_text(self.table())
        (folder / "timeline.svg").write_text(drawn(self.per_second, self.faults))

    @classmethod
    def read(cls, file: Path) -> "ChaosOutcome":
        found = json.loads(file.read_text())
        return cls(**found | {"faults": [Survived(**fault) for fault in found["faults"]]})

    def table(self) -> str:
        lines = [
            f"{self.stores}, seed {self.seed}: {self.requests:,} requests, {self.acknowledged:,} purchases "
            f"acknowledged, {len(self.faults)} faults in {self.run_s:,.0f} s",
            f"{self.unknown:,} requests without a certain answer, {self.lost:,} purchases reported as lost, "
            f"SQL behind for {self.behind_s:.1f} s at the end",
            "",
            f"{'fault':45}{'times':>6}{'p50 s':>9}{'p99 s':>9}{'max s':>9}",
        ]
        for kind, recovered in by_kind(self.faults).items():
            lines.append(f"{kind:45}{len(recovered):6}{''.join(f'{value:>9}' for value in shown(recovered))}")
        lines += [f"{kind:45} skipped: {why}" for kind, why in self.skipped.items()]
        lines += ["", *(self.breaches or ["no promise was broken"])]
        return "\n".join(lines) + "\n"


def by_kind(faults: Iterable[Survived]) -> dict[str, list[float | None]]:
    """Return the recoveries of each kind of fault, in seconds; None for those that were not measured."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for fault in faults:
        found[fault.kind].append(fault.recovery_s)
    return dict(sorted(found.items()))


def shown(recovered: Iterable[float | None]) -> list[str]:
    """Return p50, p99 and the longest of those that were measured, in words if there are none."""
    known = [value for value in recovered if value is not None]
    if not known:
        return ["none"] * 3
    of_100 = quantiles(known, n=100, method="inclusive") if len(known) > 1 else known * 99
    return [f"{value:.2f}" for value in (of_100[49], of_100[98], max(known))]


def measured(history: RecordedHistory, **others: Any) -> ChaosOutcome:
    """Return the figures of a history."""
    asked = [one for one in history.operations if one.op != "webhook"]
    first_ns = asked[0].invoked
    bought = [one for one in history.acknowledged(*_BOUGHT) if "Idempotent-Replayed" not in one.headers]
    per_second = Counter((one.returned - first_ns) // _NS for one in bought if one.returned)
    return ChaosOutcome(
        run_s=(asked[-1].invoked - first_ns) / _NS,
        requests=len(asked),
        acknowledged=len(bought),
        unknown=sum(one.outcome == "unknown" for one in asked),
        faults=_survived(history, bought, first_ns),
        per_second=[per_second[second] for second in range(max(per_second, default=0) + 1)],
        **others,
    )


def count_lost(history: RecordedHistory, finals: Iterable[FinalState]) -> int:
    """Return how many acknowledged purchases SQL does not have."""
    recorded = {row.id for final in finals for row in final.purchases}
    return len({str((one.answer or {})["purchaseId"]) for one in history.acknowledged(*_BOUGHT)} - recorded)


def _survived(history: RecordedHistory, bought: list[Operation], first_ns: int) -> list[Survived]:
    """How long it took from the end of each fault until every event that was always on sale had sold again.

    Only purchases count that were asked for after the fault: others may have waited for their response alone. The
    longest recoveries have met the next fault; those a run had waited for long enough, and they count.
    """
    paused = {one.event for one in history.operations if one.op == "state"}
    sold: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for one in bought:
        if one.event not in paused and one.returned:
            sold[one.event].append((one.invoked, one.returned))
    first_after = {event: _earliest_after(sorted(times)) for event, times in sold.items()}
    found: list[Survived] = []
    for fault, following in zip_longest(history.faults, history.faults[1:]):
        returned = [find(fault.ended) for find in first_after.values()]
        recovered = max((ns for ns in returned if ns is not None), default=None)
        if recovered and following and fault.ended + RECOVERY_SEEN_WITHIN_S * _NS > following.begun < recovered:
            recovered = None
        before = found[-1] if found else None
        found.append(
            Survived(
                fault.fault,
                fault.target,
                fault.may_lose,
                (fault.begun - first_ns) / _NS,
                (fault.ended - first_ns) / _NS,
                (recovered - fault.ended) / _NS if recovered else None,
                in_loss=before is not None and before.recovery_s is None and not before.is_local,
            )
        )
    return found


def _earliest_after(times: list[tuple[int, int]]) -> Callable[[int], int | None]:
    """`times` are invocations and returns. Return a function: the first return of what was invoked from a moment on."""
    invoked = [begin for begin, _ in times]
    earliest = list(accumulate((end for _, end in reversed(times)), min))[::-1]

    def find(moment: int) -> int | None:
        at = bisect(invoked, moment)
        return earliest[at] if at < len(earliest) else None

    return find
