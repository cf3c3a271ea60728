"""One cluster, and the whole product on it, for each file: over TLS, with a password."""

from collections.abc import Iterator

import pytest

from tests.clusters import Cluster, ClusterSystem, running_cluster
from tests.servers import new_sqlite, wait_until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), secure=True) as started:
        yield started


@pytest.fixture(scope="module")
def running(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSystem]:
    folder = tmp_path_factory.mktemp("system")
    system = ClusterSystem(folder / "data", cluster, new_sqlite(folder / "seating.db"))
    try:
        yield system.start()
    finally:
        system.stop()


@pytest.fixture(scope="module")
def event_of_each(running: ClusterSystem, cluster: Cluster) -> list[str]:
    """A seated event on each primary."""
    found: dict[int, str] = {}

    def create() -> bool:
        event = running.create_event(seatingPlan={"generate": {"sections": 5, "rows": 20, "seatsPerRow": 50}})
        found.setdefault(cluster.primary_of(event), event)
        return len(found) == 3

    wait_until(create, 60, "an event on each primary")
    return list(found.values())
