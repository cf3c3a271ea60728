"""Breaking the connections between the product and Redis."""

from random import Random
from time import sleep

from tests.proof.faults.fault import Fault, on_one_redis
from tests.proof.proxy import Disturbance
from tests.proof.stage import ChaosStage


def _disturb(kind: str, disturbance: Disturbance, share: float) -> Fault:
    def cause(stage: ChaosStage, random: Random) -> None:
        with stage.proxy.disturbed(disturbance, share, random.uniform(0.02, 0.3)):
            sleep(random.uniform(0.3, 2.0))

    return Fault(kind, "connections to Redis", cause, obstacle=on_one_redis)


def _cut(stage: ChaosStage, _random: Random) -> None:
    stage.proxy.cut()


FAULTS = (
    _disturb("connections reset before the script ran", Disturbance.RESET_BEFORE, 0.2),
    _disturb("connections reset after the script ran", Disturbance.RESET_AFTER, 0.2),
    _disturb("half replies", Disturbance.HALF_REPLY, 0.2),
    _disturb("latency to Redis", Disturbance.LATENCY, 0.8),
    Fault("all connections to Redis reset", "connections to Redis", _cut, obstacle=on_one_redis),
)
