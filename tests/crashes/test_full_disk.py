"""The disk of the data folder is full, Redis and SQL have theirs: the web processes go on."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.crowd import at_once, new_keys
from tests.proof.stage import Disk
from tests.servers import RedisServer, new_sqlite, wait_until
from tests.system import System


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "data")
    if not disk.is_own:
        pytest.skip("needs a tmpfs, which only root may mount")
    yield disk
    disk.remove()


def test_web_processes_survive_and_begin_on_a_full_disk(disk: Disk, own_redis: RedisServer, tmp_path: Path) -> None:
    """prometheus-client maps its files into memory: a page without a block on disk would be SIGBUS."""
    system = System(disk.folder, own_redis, new_sqlite(tmp_path / "seating.db"))
    try:
        system.start("web")
        master = psutil.Process(system.parts["web"].process.pid)
        (first,) = master.children()
        with disk.full():
            # All kinds of metrics, and labels that were not counted before.
            answers = at_once(system, new_keys(20))
            assert {answer.status for answer in answers} == {200}
            assert system.get("/nowhere").status == 404
            assert system.get("/metrics", {"Accept": "text/plain"}).status == 200
            assert master.children() == [first]
            first.kill()
            wait_until(lambda: system.buy(1).status == 200, 60, "the next web process")
            assert system.get("/metrics", {"Accept": "text/plain"}).status == 200
    finally:
        system.stop()
