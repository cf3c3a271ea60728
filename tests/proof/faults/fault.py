"""What a fault is: how it is caused, what it is allowed to do, and where it is possible."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.proof.stage import ChaosStage

Cause = Callable[[ChaosStage, Random], None]
Obstacle = Callable[[ChaosStage], str]


def none(_stage: ChaosStage) -> str:
    return ""


def on_one_redis(stage: ChaosStage) -> str:
    return "needs one Redis" if stage.cluster else ""


def on_cluster(stage: ChaosStage) -> str:
    return "" if stage.cluster else "needs a cluster"


def on_sqlite(stage: ChaosStage) -> str:
    return "" if stage.kind == "sqlite" else "needs SQLite"


def on_postgres(stage: ChaosStage) -> str:
    return "" if stage.kind == "postgres" else "needs Postgres"


@dataclass(frozen=True, slots=True)
class Fault:
    """`cause` begins it, waits and ends it: when it returns, what was broken runs again.

    `may_lose` is whether changes that were confirmed may be lost. `obstacle` says why it is not possible on a stage.
    """

    kind: str
    target: str
    cause: Cause
    may_lose: bool = False
    obstacle: Obstacle = none
