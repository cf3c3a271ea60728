"""Filling disks, each a small tmpfs that only the stage uses."""

from random import Random
from time import sleep

from tests.proof.faults.fault import Fault, on_one_redis, on_sqlite
from tests.proof.stage import ChaosStage, Disk


def _fill_redis(stage: ChaosStage, random: Random) -> None:
    """Redis exits rather than confirm what it cannot keep, and whoever supervises it starts it again."""
    with stage.redis_disk.full():
        sleep(random.uniform(0.5, 2.0))
    if stage.redis.has_ended():
        stage.redis.start()


def _fill_data(stage: ChaosStage, random: Random) -> None:
    with stage.data_disk.full():
        sleep(random.uniform(0.5, 3.0))


def _own(disk: Disk) -> str:
    return "" if disk.is_own else "needs a tmpfs, which only root may mount"


FAULTS = (
    Fault(
        "Redis's disk full", "disk", _fill_redis, obstacle=lambda stage: on_one_redis(stage) or _own(stage.redis_disk)
    ),
    Fault("SQLite's disk full", "disk", _fill_data, obstacle=lambda stage: on_sqlite(stage) or _own(stage.data_disk)),
)
