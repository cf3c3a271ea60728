"""How long the map's scripts take with 50,000 seats, by the browser's own clock. The best of three counts."""

import json
import os
import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.live.client import Socket
from tests.seat_map.browser import MapPage, all_shown
from tests.seat_map.conftest import OpenMap
from tests.servers import wait_until
from tests.system import System
from tests.web import JSON

HALL: Final = {"generate": {"sections": 50, "rows": 20, "seatsPerRow": 50}}
ROUNDS: Final = 3
FEEDS: Final = int(os.environ.get("SEATING_FEEDS", "50"))


@pytest.fixture(scope="module")
def arena(seller: System) -> str:
    return seller.create_event(seatingPlan=HALL, currency="EUR", categories={"Seats": {"price": 4500}})


def best(measure: Callable[[], float], limit: float) -> float:
    """The least of up to three rounds: other programs slow each of them down."""
    found = measure()
    for _ in range(ROUNDS - 1):
        if found < limit:
            break
        found = min(found, measure())
    return found


def frames(page: MapPage, act: Callable[[], Any]) -> list[float]:
    """The script time of each frame while something is done, in ms."""
    page.page.evaluate("frames_ms.length = 0")
    act()
    found: list[float] = page.page.evaluate("frames_ms")
    return sorted(found)


def p95(values: list[float]) -> float:
    return values[int(0.95 * (len(values) - 1))]


def test_first_draw(open_map: OpenMap, arena: str) -> None:
    def measure() -> float:
        page = open_map(arena)
        found: float = page.page.evaluate("firstDrawMs")
        page.close()
        return found

    found = best(measure, 500)
    print(f"first draw {found:.0f} ms")
    assert found < 500


@pytest.mark.parametrize("scale", ["far", "dots", "numbers"])
def test_panning(open_map: OpenMap, arena: str, scale: str) -> None:
    page = open_map(arena, timed=True)
    if scale == "far":
        page.call("map.zoomTo(['sec-1-row-A-seat-1', 'sec-43-row-T-seat-50'])")
    if scale == "dots":
        page.call("map.zoomTo(['sec-1-row-A-seat-1', 'sec-12-row-T-seat-50'])")
    if scale == "numbers":
        page.call("map.zoomTo('Section 12')")
    page.page.wait_for_timeout(1500)

    def pan() -> None:
        mouse = page.page.mouse
        mouse.move(640, 600)
        mouse.down()
        for step in range(60):
            mouse.move(640 - 8 * step, 600 - 6 * step)
        mouse.up()
        mouse.move(100, 100)
        mouse.down()
        for step in range(60):
            mouse.move(100 + 8 * step, 100 + 6 * step)
        mouse.up()

    def measure() -> float:
        started = time.monotonic()
        taken = frames(page, pan)
        per_s = len(taken) / (time.monotonic() - started)
        print(f"{scale}: p95 of {len(taken)} frames {p95(taken):.1f} ms, {per_s:.0f} frames/s")
        return p95(taken)

    assert best(measure, 8) <= 8
    page.close()


def set_seats(client: System, event: str, section: int, status: str) -> None:
    seats = [f"sec-{section}-row-{row}-seat-{number}" for row in "ABCD" for number in range(1, 51)]
    body = json.dumps({"status": status, "seats": seats}).encode()
    assert client.request("PATCH", f"/api/v1/events/{event}/seats", body, JSON).status == 200


def test_a_change_of_two_hundred_seats(open_map: OpenMap, arena: str, seller: System) -> None:
    """All of them in view."""
    page = open_map(arena, timed=True)
    page.call("map.zoomTo('Section 8')")
    page.page.wait_for_timeout(1500)
    states = ["reserved", "available"]

    def measure() -> float:
        status = states[0]
        states.reverse()

        def act() -> None:
            set_seats(seller, arena, 8, status)
            wait_until(lambda: page.shows("sec-8-row-D-seat-50", status))
            page.page.wait_for_timeout(100)

        taken = frames(page, act)
        print(f"200 seats: {max(taken):.1f} ms")
        return max(taken)

    assert best(measure, 5) < 5
    set_seats(seller, arena, 8, "available")
    page.close()


def test_a_thousand_changes_a_second(open_map: OpenMap, arena: str, seller: System) -> None:
    page = open_map(arena, timed=True)
    page.call("map.zoomTo('Section 8')")
    page.page.wait_for_timeout(1500)

    def change() -> None:
        for number in range(10):
            set_seats(seller, arena, 8, "reserved" if number % 2 == 0 else "available")
        wait_until(lambda: page.shows("sec-8-row-D-seat-50", "available"))

    def measure() -> float:
        taken = frames(page, change)
        print(f"2,000 changes: {len(taken)} frames, p95 {p95(taken):.1f} ms, longest {max(taken):.1f} ms")
        return p95(taken)

    assert best(measure, 8) <= 8
    all_shown(page, seller, arena)
    page.close()


def test_among_many_feeds(open_map: OpenMap, arena: str, seller: System) -> None:
    """Two hundred changes a second for three seconds, which all of these feeds get too."""
    since = seller.get(f"/api/v1/events/{arena}/seats").json["since"]
    feeds = [Socket(seller, f"/api/v1/events/{arena}/live?since={since}") for _ in range(FEEDS)]
    page = open_map(arena, timed=True)
    page.call("map.zoomTo('Section 9')")
    page.page.wait_for_timeout(1500)
    seats = [f"sec-9-row-{row}-seat-{number}" for row in "AB" for number in range(1, 11)]

    def change() -> None:
        started = time.monotonic()
        for number in range(30):
            status = "reserved" if number % 2 == 0 else "available"
            body = json.dumps({"status": status, "seats": seats}).encode()
            assert seller.request("PATCH", f"/api/v1/events/{arena}/seats", body, JSON).status == 200
            page.page.wait_for_timeout(max(0, 1000 * (started - time.monotonic()) + 100 * (number + 1)))

    taken = frames(page, change)
    print(f"{FEEDS} feeds: p95 of {len(taken)} frames {p95(taken):.1f} ms, longest {max(taken):.1f} ms")
    assert p95(taken) < 8
    for feed in feeds:
        feed.connection.close()
    all_shown(page, seller, arena)
    page.close()
