"""Short forms of what `make chaos` does for long."""

import xml.etree.ElementTree as ElementTree
from itertools import islice
from pathlib import Path

import pytest

from tests.proof import chaos, faults, timeline
from tests.proof.chaos import ChaosPlan
from tests.proof.report import ChaosOutcome
from tests.proof.sale import Size

_KINDS = (
    "worker killed in a batch",
    "web process killed",
    "Redis killed",
    "Redis emptied",
    "connections reset after the script ran",
    "half replies",
)


@pytest.mark.timeout(600)
def test_a_short_run_keeps_every_promise(tmp_path: Path) -> None:
    """One fault of each of these kinds."""
    size = Size(buyers=12, viewers=6, think_s=0.1)
    plan = ChaosPlan("sqlite", 19, 300, size=size, kinds=_KINDS, pauses_s=(0.5, 1.5), most=len(_KINDS))
    folder = tmp_path / "run"
    folder.mkdir()
    chaos.run(plan, folder).write(folder)
    assert ChaosOutcome.read(folder / "outcome.json").breaches == [chaos.NOT_JUDGED]
    outcome = chaos.judge(folder)
    assert not outcome.breaches, (folder / "breaches.txt").read_text()[:5000]
    assert sorted(fault.kind for fault in outcome.faults) == sorted(_KINDS)
    assert outcome.acknowledged > 0
    outcome.write(folder)
    assert ChaosOutcome.read(folder / "outcome.json") == outcome
    assert "no promise was broken" in (folder / "table.txt").read_text()
    drawing = ElementTree.parse(folder / "timeline.svg").getroot()
    assert len(drawing.findall("{*}rect/{*}title")) == len(_KINDS)


def test_a_seed_gives_the_same_faults_again() -> None:
    def first(seed: int) -> list[tuple[float, str, float]]:
        drawn = islice(chaos.schedule(ChaosPlan("sqlite", seed, 60), list(faults.ALL)), 2 * len(faults.ALL))
        return [(pause_s, fault.kind, random.random()) for pause_s, fault, random in drawn]

    assert first(7) == first(7)
    assert first(7) != first(8)
    assert {kind for _, kind, _ in first(7)[: len(faults.ALL)]} == {fault.kind for fault in faults.ALL}


def test_every_target_has_a_colour() -> None:
    assert {fault.target for fault in faults.ALL} <= timeline.COLOURS.keys()
