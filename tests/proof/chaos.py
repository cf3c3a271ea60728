"""Break everything under a sale, again and again, then prove from the history that every promise was kept.

`python -m tests.proof.chaos --minutes 5 --seed 7 --database postgres` writes its history, a table and a timeline to
a folder, prints the table, and exits with 1 if a promise was broken. The same seed gives the same faults in the same
order, and the same clients.
"""

import argparse
import http.client
import pickle
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final, NoReturn

from seating.redis_store import keys
from tests.proof import faults, report
from tests.proof.checker import check
from tests.proof.faults.fault import Fault
from tests.proof.final_state import FinalState, take
from tests.proof.history import HistoryFile, InjectedFault, Operation, RecordedHistory
from tests.proof.sale import ChaosSale, Size
from tests.proof.shrinking import shrunk
from tests.proof.stage import ChaosStage, ClusterStage
from tests.proof.stepped_clock import SteppedClock
from tests.proof.story import tell
from tests.servers import wait_until

FULL: Final = Size(buyers=200, viewers=100, think_s=0.05)
_LEAST_PAUSE_S: Final = 0.5
"""From the end of a fault to the next."""
_HURRIED: Final = 0.2
"""The share of the faults after which the next one does not wait for the sale to go on."""
NOT_JUDGED: Final = "this run was not judged"
_SHRUNK: Final = 6
"""How many breaches are told by as few requests as possible."""


@dataclass(frozen=True)
class ChaosPlan:
    """What a run does. Without `kinds` it injects faults of every kind that is possible on the stage.

    `pauses_s` are the shortest and the longest from the begin of one fault to that of the next, if it has ended by
    then. The run ends after `run_s` seconds, or after `most` faults. With `has_clock` Redis's clock is stepped too;
    then only the ledger says how long holds lasted.
    """

    database: str
    seed: int
    run_s: float
    redis: str = "single"
    size: Size = FULL
    kinds: tuple[str, ...] = ()
    pauses_s: tuple[float, float] = (2.0, 10.0)
    most: int | None = None
    has_clock: bool = False


def schedule(plan: ChaosPlan, possible: list[Fault]) -> Iterator[tuple[float, Fault, Random]]:
    """Yield pauses and faults without end: all kinds in random order, then all again."""
    random = Random(plan.seed)
    shortest_s, longest_s = plan.pauses_s
    while True:
        for fault in random.sample(possible, len(possible)):
            # Most are short: two faults in a row find more than one.
            pause_s = min(shortest_s + random.expovariate(5 / (longest_s - shortest_s)), longest_s)
            yield pause_s, fault, Random(random.getrandbits(64))


def run(plan: ChaosPlan, folder: Path) -> report.ChaosOutcome:
    """Run it in an empty folder. Whether its promises were kept, only `judge` says."""
    kind = ClusterStage if plan.redis == "cluster" else ChaosStage
    stage = kind(folder, plan.database, has_clock=plan.has_clock)  # type: ignore[arg-type]
    sale = None
    try:
        sale = ChaosSale(stage.running, folder, plan.seed, plan.size)
        faults_file = folder / "faults.jsonl"
        for event in sale.events:
            wait_until(_answered(lambda event=event: _lag(stage, event) == 0), 60, "a new event to be recorded")
        sale.start()
        wait_until(sale.is_busy, 60, "the load to begin")
        skipped = _inject(plan, stage, sale, HistoryFile(faults_file))
        behind_s = _come_to_rest(stage, sale, HistoryFile(faults_file))
        history = RecordedHistory.read(*sale.files, faults_file)
        finals = _final_states(stage, sale)
        # With the history, enough to judge the run.
        (folder / "finals.pickle").write_bytes(pickle.dumps(finals))
        return report.measured(
            history,
            database=plan.database,
            redis=plan.redis,
            seed=plan.seed,
            behind_s=behind_s,
            skipped=skipped,
            lost=report.count_lost(history, finals),
            breaches=[NOT_JUDGED],
        )
    finally:
        if sale:
            sale.kill()
        stage.close()


def _inject(plan: ChaosPlan, stage: ChaosStage, sale: ChaosSale, history: HistoryFile) -> dict[str, str]:
    """Inject faults until the time is over; return the kinds that are not possible here, and why."""
    wanted = [fault for fault in faults.ALL if not plan.kinds or fault.kind in plan.kinds]
    skipped = {fault.kind: why for fault in wanted if (why := fault.obstacle(stage))}
    possible = [fault for fault in wanted if fault.kind not in skipped]
    started, begun, is_hurried = time.monotonic(), 0.0, False
    for pause_s, fault, random in islice(schedule(plan, possible), plan.most):
        left_s = 0.0 if is_hurried else pause_s - (time.monotonic() - begun)
        time.sleep(max(left_s, _LEAST_PAUSE_S))
        if time.monotonic() > started + plan.run_s:
            break
        sale.assert_running()
        begun, begun_ns = time.monotonic(), time.monotonic_ns()
        fault.cause(stage, random)
        ended = time.monotonic()
        history.add(InjectedFault(fault.kind, begun_ns, time.monotonic_ns(), fault.may_lose, fault.target))
        is_hurried = random.random() < _HURRIED
        sells = is_hurried or sale.probes.until_sold(report.RECOVERY_SEEN_WITHIN_S)
        then = "sells" if sells else "DOES NOT SELL"
        recovery = "" if is_hurried else f", {then} after {time.monotonic() - ended:.1f} s"
        print(f"{begun - started:7.1f} s  {fault.kind}, {ended - begun:.1f} s{recovery}", flush=True)
    return skipped


def _come_to_rest(stage: ChaosStage, sale: ChaosSale, history: HistoryFile) -> float:
    """End the load, wait until nothing moves any more, then end the viewers. Return the seconds that SQL was behind."""
    ended = time.monotonic()
    sale.end("load")
    stage.await_whole()
    _wait_recorded(stage, sale, history)
    behind_s = time.monotonic() - ended
    wait_until(_answered(lambda: _held(stage, sale) == 0), 60, "the holds to expire")
    _wait_recorded(stage, sale, history)
    wait_until(_answered(sale.webhooks_are_done), 120, "the webhooks to be delivered")
    sale.end("watching")
    print(f"at rest after {time.monotonic() - ended:.1f} s, SQL had all after {behind_s:.1f} s", flush=True)
    return behind_s


def _wait_recorded(stage: ChaosStage, sale: ChaosSale, history: HistoryFile) -> None:
    """Until SQL has every event's log and all may sell; record when that was."""
    stage.running.wait_ready(120)
    for event in sale.events:
        asked = Operation(-1, "get", event, None, {"lag": True}, time.monotonic_ns())
        wait_until(_answered(lambda event=event: _lag(stage, event) == 0), 120, "everything to be recorded")
        history.answered(asked, 200, b'{"lag": 0}')


def judge(folder: Path) -> report.ChaosOutcome:
    """Judge a run by what it left in its folder: later than it, or anew after a change of the checker."""
    history = RecordedHistory.read(*folder.glob("*.jsonl"))
    finals: list[FinalState] = pickle.loads((folder / "finals.pickle").read_bytes())
    outcome = report.ChaosOutcome.read(folder / "outcome.json")
    return replace(outcome, breaches=_judge(folder, history, finals))


def _judge(folder: Path, history: RecordedHistory, finals: list[FinalState]) -> list[str]:
    breaches = check(history, finals)
    first = [shrunk(breach, history, finals) for breach in breaches[:_SHRUNK]]
    (folder / "breaches.txt").write_text("\n\n".join(tell(one, history) for one in (*first, *breaches[_SHRUNK:])))
    return [f"{breach.invariant}: {breach.what}" for breach in breaches]


def _final_states(stage: ChaosStage, sale: ChaosSale) -> list[FinalState]:
    with stage.books() as books:
        return [take(books, event) for event in sale.events]


def _answered(condition: Callable[[], bool]) -> Callable[[], bool]:
    """What cannot be answered is not so yet."""

    def ask() -> bool:
        with suppress(http.client.HTTPException, KeyError, ValueError):
            return condition()
        return False

    return ask


def _lag(stage: ChaosStage, event: str) -> int | None:
    """Return how many changes SQL lacks; None while Redis has no inventory."""
    with stage.client(event) as client:
        seq, persisted = client.hmget(keys.inventory(event), "seq", "persisted")
    return int(seq) - int(persisted) if seq and persisted else None


def _held(stage: ChaosStage, sale: ChaosSale) -> int:
    return sum(stage.client(event).zcard(keys.holds(event)) for event in sale.events)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--seed", type=int, default=None)
    options.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    options.add_argument("--redis", choices=("single", "cluster"), default="single")
    options.add_argument("--clock", choices=("steady", "stepped"), default="steady")
    options.add_argument("--output", type=Path, default=Path(".proof"))
    options.add_argument("--kinds", default="", help="only these faults, separated by commas")
    options.add_argument("--unjudged", action="store_true", help="leave it to a later --judge")
    options.add_argument("--judge", type=Path, help="only judge what an earlier run left in this folder")
    given = options.parse_args()
    if given.judge:
        _end(judge(given.judge), given.judge)
    if given.redis == "cluster" and given.clock == "stepped":
        options.error("--redis cluster: needs --clock steady")
    if given.clock == "stepped" and (why := SteppedClock.obstacle()):
        options.error(f"--clock stepped: {why}")
    seed = given.seed if given.seed is not None else time.time_ns() % 1_000_000
    kinds = tuple(filter(None, given.kinds.split(",")))
    # Whoever stops it stops all of it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    chosen = f"DATABASE={given.database} REDIS={given.redis} CLOCK={given.clock}"
    print(f"MINUTES={given.minutes:g} SEED={seed} {chosen}", flush=True)
    folder = given.output.absolute() / f"{given.database}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    is_stepped = given.clock == "stepped"
    plan = ChaosPlan(given.database, seed, given.minutes * 60, given.redis, kinds=kinds, has_clock=is_stepped)
    run(plan, folder).write(folder)
    if given.unjudged:
        return
    _end(judge(folder), folder)


def _end(outcome: report.ChaosOutcome, folder: Path) -> NoReturn:
    outcome.write(folder)
    print(outcome.table())
    if outcome.breaches:
        print((folder / "breaches.txt").read_text().partition("\n\n")[0])
    print(f"see {folder}")
    sys.exit(1 if outcome.breaches else 0)


if __name__ == "__main__":
    main()
