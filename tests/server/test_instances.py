"""Two instances of the web server on one data folder."""

import signal
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.server.conftest import Echo
from tests.servers import wait_until

Serve = Callable[..., Echo]

_COUNT = "seating_http_accept_wait_seconds_count"


def test_instances_do_not_touch_the_metrics_of_each_other(serve: Serve, tmp_path: Path) -> None:
    """But one that starts removes those of instances that were killed."""
    data = tmp_path / "shared"
    first = serve(SEATING_DATA_DIR=str(data))
    for _ in range(20):
        first.get("/pid")
    assert first.metric(_COUNT) >= 20
    second = serve(SEATING_DATA_DIR=str(data))
    assert second.metric(_COUNT) < 20 <= first.metric(_COUNT)
    first.process.send_signal(signal.SIGHUP)
    (before,) = first.workers()
    wait_until(lambda: before not in first.workers() and first.get("/pid").status == 200, 30, "the next process")
    assert first.metric(_COUNT) >= 20
    family = [psutil.Process(second.process.pid), *second.workers()]
    for process in family:
        process.kill()
    second.process.wait()
    assert len(_folders(data)) == 2
    third = serve(SEATING_DATA_DIR=str(data))
    assert len(_folders(data)) == 2
    third.process.terminate()
    assert third.process.wait(40) == 0
    assert len(_folders(data)) == 1
    assert first.metric(_COUNT) >= 20


def _folders(data: Path) -> list[Path]:
    return [path for path in (data / "metrics").iterdir() if path.is_dir()]
