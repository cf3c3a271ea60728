"""docs/reliability.md, made of what `make prove` found and docs/proof/ keeps.

`python -m tests.proof.reliability` makes it anew.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from tests.proof.report import ChaosOutcome, Survived, by_kind, shown
from tests.proof.timeline import drawn

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
FOUND: Final = PAGE.parent / "proof" / "findings.json"
_HEAD: Final = """# Reliability

The promise is: no seat is sold twice, nothing acknowledged is lost, one key has one effect, and holds are honoured.
`make prove` tries to break it, checks from the recorded history and from what the stores have in the end that it was
kept, and makes this page of what it found. The figures are of one machine, with everything on it, the load generator
too.

`make chaos` does one run: MINUTES and SEED say how long and which one, DATABASE is `sqlite` or `postgres`, REDIS is
`single` or `cluster`. Real processes serve buyers, who buy, hold, pay, abandon, cancel, send requests twice and reuse
keys, and viewers of seat maps, while one fault after another is injected. It writes the history, a table and a timeline
to `.proof`, and exits with status 1 if a promise was broken. [Record 91](adr/0091-chaos.md) says how it is built.
"""


@dataclass(frozen=True)
class ProofPart:
    """A part of the proof that is tests: how many, how many bad inputs they tried, how long that took."""

    what: str
    tests: int
    inputs: int
    seconds: float
    passed: bool


@dataclass
class Findings:
    """`rounds` are the chaos runs; `unjudged` is how many came to no end. `note` is what else a reader has to know."""

    command: str
    machine: dict[str, Any]
    parts: list[ProofPart] = field(default_factory=list)
    rounds: list[ChaosOutcome] = field(default_factory=list)
    unjudged: int = 0
    note: str = ""

    @property
    def is_clean(self) -> bool:
        kept = all(part.passed for part in self.parts) and not any(one.breaches for one in self.rounds)
        return kept and not self.unjudged

    @classmethod
    def read(cls) -> "Findings":
        found = json.loads(FOUND.read_text())
        rounds = [
            ChaosOutcome(**one | {"faults": [Survived(**fault) for fault in one["faults"]]}) for one in found["rounds"]
        ]
        return cls(**found | {"parts": [ProofPart(**part) for part in found["parts"]], "rounds": rounds})


def write(findings: Findings) -> None:
    FOUND.parent.mkdir(exist_ok=True)
    FOUND.write_text(json.dumps(asdict(findings)) + "\n")
    for stores, rounds in _by_stores(findings):
        longest = max(rounds, key=lambda one: one.run_s)
        (FOUND.parent / f"timeline-{stores}.svg").write_text(drawn(longest.per_second, longest.faults))
    PAGE.write_text(render(findings))


def render(findings: Findings) -> str:
    where = findings.machine
    made = (
        f"`{findings.command}`, {where['at']}: {where['cores']} cores, {where['system']}, Python {where['python']}, "
        f"load {where['load']} at the start. {findings.note}".rstrip()
        + "\n"
    )
    sections = [_HEAD, made, _totals(findings), _faults(findings), _rounds(findings), _parts(findings)]
    return "\n".join(section for section in sections if section)


def sentence(findings: Findings) -> str:
    """Return what README.md says of them."""
    rounds, faults = findings.rounds, _all_faults(findings.rounds)
    broken = sum(len(one.breaches) for one in rounds)
    return (
        f"The last `make prove` acknowledged {sum(one.acknowledged for one in rounds):,} purchases through "
        f"{len(faults):,} faults of {len(by_kind(faults))} kinds and tried "
        f"{sum(part.inputs for part in findings.parts):,} bad inputs; {broken or 'no'} promises were broken."
    )


def _totals(findings: Findings) -> str:
    rounds = findings.rounds
    kinds = [breach.partition(":")[0] for one in rounds for breach in one.breaches]
    local = [one.recovery_s for one in _all_faults(rounds) if one.is_local]
    rows = [
        ("purchases acknowledged", sum(one.acknowledged for one in rounds)),
        ("requests", sum(one.requests for one in rounds)),
        ("requests without a certain answer", sum(one.unknown for one in rounds)),
        ("faults survived", len(_all_faults(rounds))),
        ("bad inputs tried", sum(part.inputs for part in findings.parts)),
        ("seats sold twice, or more than there are (I1)", kinds.count("I1")),
        ("purchases lost without a report, or by a fault that may not lose (I2)", kinds.count("I2")),
        ("keys with two effects (I4)", kinds.count("I4")),
        ("promises broken in all", len(kinds)),
        ("runs that came to no end", findings.unjudged),
        ("purchases lost with their Redis, and reported", sum(one.lost for one in rounds)),
        ("first success after a fault that may not lose, p99, in s", shown(local)[1]),
    ]
    return "## What was found\n\n" + _table(("", ""), rows)


def _faults(findings: Findings) -> str:
    text = (
        "## Recovery by kind of fault\n\n"
        "Seconds from the end of the fault (Redis answers again, the process runs again) until every event that is on "
        "sale has sold again. After one fault in five the next does not wait for that; a recovery that it overtook is "
        "not measured, but part of the next one's. Those marked * may lose data of Redis; what SQL did not have yet is "
        "lost then, and reported. Above, a fault that overtook the recovery from one of those is not one that "
        "may not lose.\n\n"
    )
    found = _all_faults(findings.rounds)
    loses = {fault.kind for fault in found if fault.may_lose}
    rows = [
        (f"{kind}{' *' if kind in loses else ''}", len(recovered), *shown(recovered))
        for kind, recovered in by_kind(found).items()
    ]
    skipped = sorted({f"{kind} ({one.stores}: {why})" for one in findings.rounds for kind, why in one.skipped.items()})
    left_out = f"\nNot possible in some runs: {', '.join(skipped)}.\n" if skipped else ""
    return text + _table(("fault", "times", "p50", "p99", "max"), rows) + left_out


def _rounds(findings: Findings) -> str:
    text = ["## The runs\n"]
    for stores, rounds in _by_stores(findings):
        rows = [
            (one.seed, f"{one.run_s:,.0f}", one.acknowledged, len(one.faults), one.lost, f"{one.behind_s:.1f}")
            for one in rounds
        ]
        columns = ("seed", "seconds", "purchases", "faults", "reported as lost", "s until SQL had all")
        text.append(f"### {stores}\n\n{_table(columns, rows)}")
        text.append(f"![Purchases a second and faults, {stores}](proof/timeline-{stores}.svg)\n")
    return "\n".join(text)


def _parts(findings: Findings) -> str:
    rows = [
        (part.what, part.tests, part.inputs, f"{part.seconds:.0f}", "yes" if part.passed else "**no**")
        for part in findings.parts
    ]
    return "## The rest of the proof\n\n" + _table(("what", "tests", "inputs", "seconds", "passed"), rows)


def _by_stores(findings: Findings) -> Iterable[tuple[str, list[ChaosOutcome]]]:
    by_name = sorted(findings.rounds, key=lambda one: one.stores)
    return [(name, list(group)) for name, group in groupby(by_name, key=lambda one: one.stores)]


def _all_faults(rounds: Iterable[ChaosOutcome]) -> list[Survived]:
    return [fault for one in rounds for fault in one.faults]


def _table(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines: list[tuple[object, ...]] = [columns, ("---", *["---:"] * (len(columns) - 1)), *rows]
    return "".join("| " + " | ".join(map(_cell, line)) + " |\n" for line in lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    write(Findings.read())
