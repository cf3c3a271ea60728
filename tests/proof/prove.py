"""Prove the promises for an hour: `python -m tests.proof.prove --minutes 60 --seed 7`.

First chaos runs on SQLite and Postgres by turns, some on a Redis Cluster, for most of the time. Then they are judged,
and the tests of the proof itself and the bad inputs run, two at a time. Writes its findings to docs/proof/ and makes
docs/reliability.md of them, after each step. Exits with 1 if anything was broken.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Final, NamedTuple

from bench.report import machine
from tests.proof import reliability
from tests.proof.reliability import Findings, ProofPart
from tests.proof.report import ChaosOutcome
from tests.proof.stepped_clock import SteppedClock

PROJECT: Final = Path(__file__).parents[2]
_ROUND_MINUTES: Final = 8.0
_SHORTEST_ROUND_MINUTES: Final = 0.5
_FEWEST_ROUNDS: Final = 2
_CHAOS_SHARE: Final = 0.85
_AT_ONCE: Final = 2


class Stores(NamedTuple):
    """What a chaos run is of, in the words of its options."""

    database: str
    redis: str = "single"
    clock: str = "steady"


_ROUNDS: Final = (
    *(Stores("sqlite"), Stores("postgres")) * 2,
    Stores("postgres", redis="cluster"),
    Stores("sqlite", clock="stepped"),
)
"""Again and again."""
_CHAOS: Final = (sys.executable, "-m", "tests.proof.chaos")
_PASSED: Final = re.compile(r"(\d+) passed")


@dataclass(frozen=True)
class Tests:
    """Files of tests and what they prove. `inputs` is how many bad inputs they try, as `environment` tells them.

    `only` is an expression for pytest's `-k`.
    """

    what: str
    files: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    inputs: int = 0
    only: str = ""

    def run(self) -> ProofPart:
        command = [sys.executable, "-m", "pytest", "-q", "--timeout", "7200", "-k", self.only, *self.files]
        started = time.monotonic()
        done = subprocess.run(
            command, cwd=PROJECT, env=os.environ | self.environment, capture_output=True, text=True, check=False
        )
        print(done.stdout[-2000:] if done.returncode else f"{self.what}: passed", flush=True)
        passed = _PASSED.search(done.stdout)
        seconds = time.monotonic() - started
        return ProofPart(self.what, int(passed[1]) if passed else 0, self.inputs, seconds, done.returncode == 0)


def parts(scale: float) -> list[Tests]:
    """Return all but chaos; `scale` is 1 for an hour."""
    raw, requests, cases = (int(count * scale) for count in (600_000, 10_000, 150))
    return [
        *(
            Tests(
                f"processes that crash at every call they make outside, over {database}",
                ("tests/proof/test_crash_points.py",),
                {"SEATING_CRASH_POINTS": "1"},
                only=f"{database.lower()} or driven",
            )
            for database in ("SQLite", "Postgres")
        ),
        Tests(
            "raw requests, many malformed, read alike by both parsers",
            ("tests/server/test_fuzz_bytes.py",),
            {"SEATING_FUZZ_BYTES": str(raw)},
            raw,
        ),
        Tests("faults planted into a recorded run, each found by the checker", ("tests/proof/test_checker.py",)),
        Tests(
            "the product without one of its guards, caught by a short run each",
            ("tests/proof/test_mutants.py",),
            {"SEATING_MUTANTS": "1"},
        ),
        Tests("the proxy and the schedule of faults", ("tests/proof/test_proxy.py", "tests/proof/test_chaos.py")),
        Tests(
            "requests to all routes, generated from the OpenAPI document",
            ("tests/web/test_fuzz_api.py",),
            {"SEATING_FUZZ_REQUESTS": str(requests)},
            requests,
        ),
        Tests(
            "random failures of both stores against a model of the protocol",
            ("tests/terms/test_protocol.py",),
            {"SEATING_TERMS_RUNS": str(cases)},
        ),
    ]


def chaos(stores: Stores, minutes: float, seed: int, output: Path) -> Path:
    """Run it in a process of its own, and return its folder, which has an outcome.json if the run came to its end."""
    folder = output / f"{stores.database}-{seed}"
    (folder / "outcome.json").unlink(missing_ok=True)
    options = {"minutes": minutes, "seed": seed, "output": output, **stores._asdict()}
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    subprocess.run([*_CHAOS, "--unjudged", *given], cwd=PROJECT, check=False)
    return folder


def judged(folder: Path) -> ChaosOutcome | None:
    """Judge a run in a process of its own; None if it came to no end."""
    found = folder / "outcome.json"
    if not found.exists():
        return None
    done = subprocess.run([*_CHAOS, "--judge", str(folder)], cwd=PROJECT, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr, sep="\n", flush=True)
    return ChaosOutcome.read(found)


def rounds() -> Iterator[Stores]:
    """Yield stores without end."""
    why = SteppedClock.obstacle()
    if why:
        print(f"clock steps skipped: {why}")
    return cycle(stores for stores in _ROUNDS if not why or stores.clock == "steady")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--seed", type=int, default=None)
    options.add_argument("--output", type=Path, default=Path(".proof"))
    given = options.parse_args()
    seed = given.seed if given.seed is not None else time.time_ns() % 1_000_000
    print(f"MINUTES={given.minutes:g} SEED={seed}", flush=True)
    ends = time.monotonic() + given.minutes * 60 * _CHAOS_SHARE
    findings = Findings(f"make prove MINUTES={given.minutes:g} SEED={seed}", machine())
    folders = []
    for number, stores in enumerate(rounds()):
        if number >= _FEWEST_ROUNDS and time.monotonic() > ends - 60:
            break
        left_minutes = (ends - time.monotonic()) / 60 / max(_FEWEST_ROUNDS - number, 1)
        minutes = max(min(_ROUND_MINUTES, left_minutes), _SHORTEST_ROUND_MINUTES)
        folders.append(chaos(stores, minutes, seed + number, given.output.absolute()))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        judgements, tests = pool.map(judged, folders), pool.map(Tests.run, parts(given.minutes / 60))
        for outcome in judgements:
            if outcome:
                findings.rounds.append(outcome)
            else:
                findings.unjudged += 1
            reliability.write(findings)
        for part in tests:
            findings.parts.append(part)
            reliability.write(findings)
    print(f"see {reliability.PAGE.relative_to(PROJECT)}")
    sys.exit(0 if findings.is_clean else 1)


if __name__ == "__main__":
    main()
