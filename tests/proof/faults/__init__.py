"""Every kind of fault that a chaos run injects."""

from tests.proof.faults import clock, cluster, disk, network, processes, redis_server, sql
from tests.proof.faults.fault import Fault

ALL: tuple[Fault, ...] = (
    *processes.FAULTS,
    *redis_server.FAULTS,
    *cluster.FAULTS,
    *network.FAULTS,
    *sql.FAULTS,
    *disk.FAULTS,
    *clock.FAULTS,
)
