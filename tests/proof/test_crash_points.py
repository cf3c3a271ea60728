"""A process crashes at each crash point, in every way: no promise is broken, and what is asked again has one effect.

The short form lets each call with an effect crash after it, at the first time that an act makes it, over SQLite. The
long form, `make crash-points`, lets every call crash each time and at each moment, reads too, over both databases, and
looks into the books after each crash.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pytest

from seating.domain.errors import SeatingError
from seating.domain.recovery_errors import Overtaken, RebuildRefused
from seating.storage.database import Database
from tests import frozen_clock
from tests.proof.crash_acts import ACTS, Given
from tests.proof.crash_points import CRASH_POINTS, is_read
from tests.proof.crash_stage import Stage
from tests.proof.crash_victim import Victims
from tests.proof.crash_ways import WAYS, Way
from tests.proof.crashing import Crash, Crashed, CrashingProcess, Crossings, Fault, Moment

_LONG = "SEATING_CRASH_POINTS" in os.environ
_A_STAGE = 25
"""How many crashes share a sale."""

_scripts = frozen_clock.scripts()


class Driven(NamedTuple):
    """The ways that were gone, and the calls with an effect that were met."""

    ways: set[str]
    calls: set[str]


@pytest.fixture(scope="module")
def driven() -> Driven:
    return Driven(set(), set())


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    found = Victims(tmp_path_factory.mktemp("victims"))
    yield found
    found.stop()


@pytest.mark.timeout(3600 if _LONG else 180)
@pytest.mark.parametrize("database_url", ["sqlite", "postgres"] if _LONG else ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", WAYS)
def test_a_process_crashes(name: str, redis_url: str, database_url: str, victims: Victims, driven: Driven) -> None:
    database = Database(database_url, checkpoints=True)
    calls = _Drive(WAYS[name], redis_url, database, victims).everywhere()
    driven.ways.add(name)
    driven.calls.update(call for call in calls if not is_read(call))
    database.close()


def test_every_crash_point_is_driven(driven: Driven) -> None:
    """And has a name."""
    if driven.ways != WAYS.keys():
        pytest.skip("not all ways were gone")
    assert driven.calls == CRASH_POINTS.keys()


class _Drive:
    """One way through the product, with a crash at each of its calls."""

    def __init__(self, way: Way, redis_url: str, database: Database, victims: Victims) -> None:
        self._way, self._redis_url, self._database, self._victims = way, redis_url, database, victims

    def everywhere(self) -> list[str]:
        """Return the calls that it makes without a crash."""
        calls = self._in_one_sale([None])
        crashes = list(_crashes(calls))
        for first in range(0, len(crashes), _A_STAGE):
            self._in_one_sale(crashes[first : first + _A_STAGE])
        return calls

    def _in_one_sale(self, crashes: Sequence[Crash | None]) -> list[str]:
        """Return the calls that the last one made before it crashed."""
        calls: list[str] = []
        stage = Stage(self._redis_url, self._database, _scripts)
        for crash in crashes:
            try:
                calls = self._crash(stage, crash)
                if _LONG:
                    stage.check()
            except BaseException as error:
                error.add_note(f"the crash: {crash}")
                raise
        stage.check()
        stage.close()
        return calls

    def _crash(self, stage: Stage, crash: Crash | None) -> list[str]:
        given, crossings = self._way.prepare(stage), Crossings(crash)
        with self._process(crossings) as process:
            if crash and crash.fault is Fault.KILLED:
                asked = (self._way.act, _by_clock(stage, given), crash)
                self._victims.kill_one(self._redis_url, self._database.url, *asked)
            else:
                with suppress(Crashed, SeatingError, Overtaken, RebuildRefused):
                    self._act(process, stage, given)
                assert crossings.has_crashed or crash is None
            calls, crossings.crash = list(crossings.calls), None
            self._way.heal(stage)
            stage.recover()
            stage.buy()
            stage.one.persist(stage.event)
            answer = self._act(process, stage, given)
            self._way.told(stage, given, answer)
            assert self._act(process, stage, given) == answer
        stage.recover()
        stage.check_now()
        return calls

    def _act(self, process: CrashingProcess, stage: Stage, given: Given) -> Any:
        return ACTS[self._way.act](process, _by_clock(stage, given))

    @contextmanager
    def _process(self, crossings: Crossings) -> Iterator[CrashingProcess]:
        process = CrashingProcess(self._redis_url, self._database.url, _scripts, crossings)
        yield process
        process.calls.close()
        process.database.close()


def _by_clock(stage: Stage, given: Given) -> Given:
    return given | {"now_ms": str(stage.now_ms)}


def _crashes(calls: Sequence[str]) -> Iterator[Crash]:
    """What is to be driven of an act that makes these calls."""
    for number, call in enumerate(calls):
        nth = calls[: number + 1].count(call)
        if _LONG or (nth == 1 and not is_read(call)):
            for moment in _moments(call):
                yield from (Crash(call, nth, moment, fault) for fault in _faults(call, moment))


def _moments(call: str) -> list[Moment]:
    inside = [Moment.INSIDE] if call.startswith("SQL write ") else []
    return [*([Moment.BEFORE] if _LONG or not inside else []), *inside, Moment.AFTER]


def _faults(call: str, moment: Moment) -> list[Fault]:
    """What is only noted in memory has no reply. Before a call nothing else has happened than after the last one."""
    if call.startswith("memory "):
        return [Fault.KILLED, Fault.RAISED] if _LONG or moment is Moment.AFTER else []
    return [*Fault] if _LONG or moment is not Moment.BEFORE else [Fault.DROPPED]
