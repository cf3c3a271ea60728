"""Breaking servers of a Redis Cluster, and moving what they have.

Each fault begins once the cluster is whole: a slot must not lose its primary while its replica is away.
"""

import re
from random import Random
from time import sleep

from seating.redis_store import keys
from tests.clusters import Cluster
from tests.proof.faults.fault import Cause, Fault, on_cluster
from tests.proof.stage import ChaosStage

_EVENT = re.compile(re.escape(keys.inventory("?")).replace(re.escape("?"), "(.+)"))


def _whole(stage: ChaosStage) -> Cluster:
    assert stage.cluster
    stage.await_whole()
    return stage.cluster


def _kill_primary(stage: ChaosStage, random: Random) -> None:
    """Until its replica sells. It comes back as a replica."""
    cluster = _whole(stage)
    port = random.choice(sorted(cluster.primaries()))
    cluster.kill(port)
    assert cluster.start_server(port)


def _suspend_primary(stage: ChaosStage, random: Random) -> None:
    """Too short for its replica to take over."""
    cluster = _whole(stage)
    with cluster.paused(random.choice(sorted(cluster.primaries()))):
        sleep(random.uniform(0.3, 1.5))


def _kill_replica(stage: ChaosStage, random: Random) -> None:
    """Its primary confirms nothing without it, for nobody else would have it."""
    cluster = _whole(stage)
    port = random.choice(cluster.replicas())
    cluster.crash(port)
    sleep(random.uniform(0.2, 2.0))
    assert cluster.start_server(port)
    stage.await_whole()


def _move_slot(stage: ChaosStage, random: Random) -> None:
    """That of an event, with all that is sold of it."""
    cluster = _whole(stage)
    names = (name for port in cluster.primaries() for name in cluster.client(port).keys(keys.inventory("*")))
    events = [found[1] for name in sorted(names) if (found := _EVENT.fullmatch(name))]
    cluster.move(random.choice(events))


def _fault(kind: str, cause: Cause, *, may_lose: bool = False) -> Fault:
    return Fault(kind, "redis", cause, may_lose, on_cluster)


FAULTS = (
    _fault("primary killed", _kill_primary, may_lose=True),
    _fault("primary suspended", _suspend_primary),
    _fault("replica killed", _kill_replica),
    _fault("slot moved", _move_slot),
)
