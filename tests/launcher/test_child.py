"""A part that ends is started again: at once if it ran for long, and later and later if it does not stay."""

import re
import sys
from collections.abc import Iterator

import pytest

from seating.launcher import child
from seating.launcher.child import Child
from tests.servers import wait_until


@pytest.fixture
def part() -> Iterator[Child]:
    part = Child("part", [sys.executable, "-S", "-c", "import time; time.sleep(600)"], {})
    part.start()
    yield part
    part.stop(within_s=10)


def _end(part: Child) -> None:
    part.stop(within_s=10)
    assert part.has_ended()


def test_one_that_ran_for_long_starts_at_once(part: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_STEADY_AFTER_S", 0.0)
    for _ in range(3):
        before = part.pid
        _end(part)
        part.look_after()
        assert part.pid != before
        assert not part.has_ended()


def test_one_that_does_not_stay_waits_longer_each_time(
    part: Child, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child, "_STEADY_AFTER_S", 600.0)
    for _ in range(3):
        before = part.pid
        _end(part)
        wait_until(lambda before=before: part.look_after() or part.pid != before, what="it to start again")
    waits = re.findall(r"again in (\S+) s", capsys.readouterr().out)
    assert waits == ["0.2", "0.4", "0.8"]
