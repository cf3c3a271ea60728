"""What `make bench-partner` and the tests measure of the catalogue."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import gevent

from tests.catalogue import partner as habits
from tests.catalogue.partner import Habit, Partner
from tests.catalogue.stand_in import StandIn
from tests.system import Client, System, running_system

_BUYERS = 8
_CALL_EVERY_S = 0.4


class Fetched(NamedTuple):
    """All events of a user, through the product; and each alone from the partner, one after another."""

    together_s: float
    slowest_single_s: float
    one_after_another_s: float


def side_by_side(system: Client, stand_in: StandIn, count: int, *, measure_all: bool = False) -> Fetched:
    """Single fetches are measured for at most three events, unless all are to be."""
    user = f"with-{count}"
    event_ids = stand_in.get(f"/getUserById/{user}").json["events"]
    started = time.perf_counter()
    answer = system.get(f"/getEventsByUserId/{user}")
    together_s = time.perf_counter() - started
    assert [event["id"] for event in answer.json] == event_ids, answer.body
    singles = []
    for event_id in event_ids[: None if measure_all else 3]:
        started = time.perf_counter()
        assert stand_in.get(f"/getEventById/{event_id}").status == 200
        singles.append(time.perf_counter() - started)
    return Fetched(together_s, max(singles), sum(singles))


class Rates(NamedTuple):
    """Purchases a second in windows that alternate: while nobody, or while callers, ask the partner. All are medians;
    `share` is that of each pair's, so that what else goes on meanwhile hits both sides of it.
    """

    without: float
    beside: float
    share: float


def purchase_rates(system: System, partner: Partner, habit: Habit, windows: int, window_s: float) -> Rates:
    """The callers ask the partner, which has `habit`, for all that there is to be asked for."""
    partner.habit = habit
    event = system.create_event(totalSeats=1_000_000)
    with _buying(system, event):
        rates: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(windows):
            for beside in (False, True):
                with _asking(system if beside else None):
                    rates[beside].append(_rate(system, event, window_s))
    shares = [beside / without for without, beside in zip(rates[False], rates[True], strict=True)]
    return Rates(statistics.median(rates[False]), statistics.median(rates[True]), statistics.median(shares))


def _rate(system: System, event: str, window_s: float) -> float:
    def sold() -> int:
        count: int = system.get(f"/api/v1/events/{event}").json["seatsSold"]
        return count

    before, started = sold(), time.perf_counter()
    gevent.sleep(window_s)
    return (sold() - before) / (time.perf_counter() - started)


@contextmanager
def _buying(system: Client, event: str) -> Iterator[None]:
    def buy() -> None:
        while True:
            assert system.buy(1, event_id=event).status == 200

    with _going_on([buy] * _BUYERS):
        yield


@contextmanager
def _asking(system: Client | None) -> Iterator[None]:
    def ask(path: str) -> None:
        while system is not None:
            if path == "/addEvent":
                body = b'{"name":"A","userId":1}'
                system.request("POST", path, body, {"Content-Type": "application/json"})
            else:
                system.get(path)
            gevent.sleep(_CALL_EVERY_S)

    paths = ("/getUsers", "/getEvents", "/getEventsByUserId/5", "/addEvent")
    with _going_on([lambda path=path: ask(path) for path in paths]):  # type: ignore[misc]
        yield


@contextmanager
def _going_on(works: list) -> Iterator[None]:  # type: ignore[type-arg]
    greenlets = [gevent.spawn(work) for work in works]
    try:
        yield
        for greenlet in greenlets:
            if greenlet.exception:
                raise greenlet.exception
    finally:
        gevent.killall(greenlets)


HOSTILE: dict[str, Habit] = {
    "hangs": habits.hangs,
    "drops every connection": habits.drops,
    "sends half a body": habits.sends_half,
    "sends 1 GB": habits.sends_a_gigabyte,
    "sends HTML": habits.sends(200, b"<html>"),
    "drips": habits.drips,
}


@contextmanager
def fetching_system(folder: Path, partner_url: str, **settings: str) -> Iterator[System]:
    chosen = {"WEB_WORKERS": "2", "LOG_LEVEL": "warning", "EVENT_API_BASE_URL": partner_url, **settings}
    with running_system(folder, **chosen) as running:
        yield running
