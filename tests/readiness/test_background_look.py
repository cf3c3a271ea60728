"""A look that fails or hangs is followed by the next one, and nobody waits for it."""

from collections.abc import Callable, Iterator

import pytest
from gevent.event import Event
from structlog.testing import capture_logs

from seating.domain.errors import RecordUnavailable
from seating.services.background_look import BackgroundLook
from tests.servers import wait_until

Begin = Callable[[Callable[[], int]], BackgroundLook[int]]


@pytest.fixture
def begin() -> Iterator[Begin]:
    begun: list[BackgroundLook[int]] = []

    def start(look: Callable[[], int]) -> BackgroundLook[int]:
        begun.append(BackgroundLook(look, every_s=0.01))
        begun[-1].start()
        return begun[-1]

    yield start
    for look in begun:
        look.close()


@pytest.mark.parametrize(("error", "logged"), [(RecordUnavailable(), 0), (ValueError("unexpected"), 1)])
def test_one_that_fails(begin: Begin, error: Exception, logged: int) -> None:
    """What was seen before stays, and grows old."""
    outcomes: list[int | Exception] = [1, error, 2]

    def look() -> int:
        outcome = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with capture_logs() as lines:
        looking = begin(look)
        assert looking.last().value is None
        wait_until(lambda: looking.last().value == 1, what="the first look")
        wait_until(lambda: looking.last().value == 2, what="the look after the one that failed")
    assert [line["event"] for line in lines] == ["background look failed"] * logged


def test_one_that_hangs(begin: Begin) -> None:
    goes_on = Event()
    values = iter(range(1000))

    def look() -> int:
        value = next(values)
        if value == 1:
            goes_on.wait()
        return value

    looking = begin(look)
    wait_until(lambda: looking.last().silent_s > 0.1, what="a look that hangs")
    seen = looking.last()
    assert seen.value == 0
    assert seen.age_s >= seen.silent_s
    goes_on.set()
    wait_until(lambda: (looking.last().value or 0) > 1, what="the next look")
    assert looking.last().silent_s < 0.1
