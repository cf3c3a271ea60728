"""Two instances of the web server on one data folder, and what a stopping one does."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.server.conftest import Echo
from tests.servers import wait_until
from tests.web import connect, get, read_answer

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


def test_draining_moves_connections_away(serve: Serve) -> None:
    """The first SIGTERM begins it: requests are served, connections end with their next answer. The second ends it."""
    echo = serve(DRAIN_S="600")
    with connect(echo) as kept:
        kept.sendall(get("/pid"))
        assert read_answer(kept).headers["Connection"] == "keep-alive"
        echo.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "web server drains" in echo.log.read_text(), 10, "draining")
        kept.sendall(get("/pid"))
        answer = read_answer(kept)
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert echo.get("/pid").status == 200
    started = time.monotonic()
    echo.process.send_signal(signal.SIGTERM)
    assert echo.process.wait(40) == 0
    assert time.monotonic() - started < 30


def test_nobody_waits_for_a_reload(serve: Serve, tmp_path: Path) -> None:
    """gunicorn stops the old process when it starts the new one, which takes a while to load."""
    slowly = tmp_path / "slowly"
    echo = serve(ECHO_SLOWLY=str(slowly))
    before = echo.get("/pid").body
    slowly.write_text("5")
    echo.process.send_signal(signal.SIGHUP)
    slowest, pid = 0.0, before
    while pid == before:
        started = time.monotonic()
        pid = echo.get("/pid").body
        slowest = max(slowest, time.monotonic() - started)
    assert slowest < 3
