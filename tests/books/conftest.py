"""The whole system over a Redis that a test may empty, kill or put back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import RedisServer
from tests.system import System


@pytest.fixture
def running(own_redis: RedisServer, database_url: str, tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path / "data", own_redis, database_url, WEB_WORKERS="2")
    try:
        yield system.start()
    finally:
        system.stop()
