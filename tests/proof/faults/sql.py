"""Breaking the database of record."""

import shutil
from random import Random
from time import sleep

from tests.proof.faults.fault import Fault, on_postgres
from tests.proof.stage import ChaosStage


def _lock(stage: ChaosStage, random: Random) -> None:
    with stage.locked_sql():
        sleep(random.uniform(0.5, 6.0))


def _stop(stage: ChaosStage, random: Random) -> None:
    assert stage.postgres
    stage.postgres.stop()
    sleep(random.uniform(0.2, 4.0))
    stage.postgres.start()


def _hang(stage: ChaosStage, random: Random) -> None:
    assert stage.postgres
    stage.postgres.pause()
    try:
        sleep(random.uniform(0.5, 6.0))
    finally:
        stage.postgres.resume()


def _restore_older(stage: ChaosStage, random: Random) -> None:
    """Nothing may be lost by it: the log reaches back to the copy."""
    assert stage.postgres
    copy = stage.copy_folder("postgres-copy")
    stage.postgres.copy_to(copy)
    sleep(random.uniform(0.2, 2.0))
    stage.postgres.put_back(copy)
    shutil.rmtree(copy)


FAULTS = (
    Fault("SQL locked", "sql", _lock),
    Fault("Postgres stopped", "sql", _stop, obstacle=on_postgres),
    Fault("Postgres hung", "sql", _hang, obstacle=on_postgres),
    Fault("Postgres restored older", "sql", _restore_older, obstacle=on_postgres),
)
