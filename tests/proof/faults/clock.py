"""Stepping Redis's clock, which holds and opening times go by."""

from random import Random
from time import sleep

from tests.proof.faults.fault import Fault
from tests.proof.stage import ChaosStage


def _step(kind: str, sign: int) -> Fault:
    def cause(stage: ChaosStage, random: Random) -> None:
        assert stage.clock
        with stage.clock.stepped(sign * random.uniform(0.5, 20)):
            sleep(random.uniform(0.3, 3.0))

    return Fault(kind, "clock", cause, obstacle=_obstacle)


def _obstacle(stage: ChaosStage) -> str:
    return "" if stage.clock else "only in runs with CLOCK=stepped"


FAULTS = (_step("clock stepped forward", 1), _step("clock stepped back", -1))
