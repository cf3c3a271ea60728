"""Figures of the catalogue, as Markdown: `make catalogue-figures`."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all(thread=False, subprocess=False, signal=False, os=False)

import gevent

from tests.catalogue import partner as habits
from tests.catalogue.partner import Habit, Partner
from tests.catalogue.stand_in import StandIn
from tests.servers import RedisServer
from tests.system import Client, System

_COUNTS = (1, 10, 20, 50)
_RUNS = 5
_BUYERS = 8
_CALL_EVERY_S = 0.4
_WINDOW_S = 0.5
_WINDOWS = 20


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


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="seating-figures-") as name:
        folder = Path(name)
        stand_in = StandIn(folder / "stand-in")
        try:
            with _system(folder / "fetches", stand_in.url) as system:
                _print_fetches(system, stand_in)
        finally:
            stand_in.stop()
        partner = Partner(habits.fares_well)
        # So that the partner is really asked, and not kept away from by a breaker.
        with _system(folder / "sale", partner.url, CIRCUIT_BREAKER_FAILURE_THRESHOLD="1000") as system:
            _print_rates(system, partner)


def _print_fetches(system: System, stand_in: StandIn) -> None:
    print("| events of the user | side by side | slowest single fetch | ratio | one after another |")
    print("|---:|---:|---:|---:|---:|")
    for count in _COUNTS:
        alone = side_by_side(system, stand_in, count, measure_all=True)
        together_s = statistics.median(side_by_side(system, stand_in, count).together_s for _ in range(_RUNS))
        ratio = together_s / alone.slowest_single_s
        print(
            f"| {count} | {together_s * 1000:.0f} ms | {alone.slowest_single_s * 1000:.0f} ms | {ratio:.2f} "
            f"| {alone.one_after_another_s:.1f} s |"
        )
    print()


def _print_rates(system: System, partner: Partner) -> None:
    print("| the partner | purchases/s, nobody asks it | purchases/s, while it is asked | share |")
    print("|---|---:|---:|---:|")
    for name, habit in ({"fares well": habits.fares_well} | HOSTILE).items():
        without, beside, share = purchase_rates(system, partner, habit, _WINDOWS, _WINDOW_S)
        print(f"| {name} | {without:.0f} | {beside:.0f} | {share:.2f} |")


@contextmanager
def _system(folder: Path, partner_url: str, **settings: str) -> Iterator[System]:
    redis = RedisServer(folder / "redis")
    redis.start()
    database = f"sqlite:///{folder / 'seating.db'}"
    system = System(folder / "data", redis, database, EVENT_API_BASE_URL=partner_url, LOG_LEVEL="warning", **settings)
    try:
        yield system.start()
    finally:
        system.stop()
        redis.stop()


if __name__ == "__main__":
    main()
