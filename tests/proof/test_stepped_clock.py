"""Redis's clock is stepped without that of anybody else."""

import time
from pathlib import Path

import pytest

from tests.programs import program
from tests.proof.stepped_clock import SteppedClock, SteppedRedis
from tests.servers import wait_until


def test_a_clock_is_stepped_and_set_right(tmp_path: Path) -> None:
    program("faketime")
    if why := SteppedClock.obstacle():
        pytest.skip(why)
    clock = SteppedClock(tmp_path / "clock")
    server = SteppedRedis(tmp_path / "redis", 64, clock)
    server.start()

    def is_ahead(by_s: float) -> bool:
        now_s, _ = server.client().time()
        return abs(now_s - time.time() - by_s) < 600

    assert is_ahead(0)
    for step_s in (3600, -3600):
        with clock.stepped(step_s):
            wait_until(lambda step_s=step_s: is_ahead(step_s), 30, "the clock to be stepped")
        wait_until(lambda: is_ahead(0), 30, "the clock to be set right")
    server.stop()
