"""Breaking the database of record."""

import shutil
import sqlite3
from contextlib import closing
from random import Random
from time import sleep

from tests.proof.faults.fault import Fault, on_postgres, on_sqlite
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


def _restore_postgres(stage: ChaosStage, random: Random) -> None:
    """Nothing may be lost by it: the log reaches back to the copy."""
    assert stage.postgres
    copy = stage.copy_path("postgres-copy")
    stage.postgres.copy_to(copy)
    sleep(random.uniform(0.2, 2.0))
    stage.postgres.put_back(copy)
    shutil.rmtree(copy)


def _restore_sqlite(stage: ChaosStage, random: Random) -> None:
    """As operators do it: everything is stopped meanwhile."""
    copy, file = stage.copy_path("sqlite-copy"), stage.sqlite_file
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    sleep(random.uniform(0.2, 2.0))
    stage.running.stop()
    shutil.move(copy, file)
    for name in ("-wal", "-shm"):
        file.with_name(file.name + name).unlink(missing_ok=True)
    stage.running.launch()
    stage.wait_web()


FAULTS = (
    Fault("SQL locked", "sql", _lock),
    Fault("Postgres stopped", "sql", _stop, obstacle=on_postgres),
    Fault("Postgres hung", "sql", _hang, obstacle=on_postgres),
    Fault("Postgres restored older", "sql", _restore_postgres, obstacle=on_postgres),
    Fault("SQLite restored older", "sql", _restore_sqlite, obstacle=on_sqlite),
)
