"""How long the map's scripts take with 50,000 seats: processor time, as the browser's own metrics have it."""

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser

from tests.live.client import Socket
from tests.seat_map.browser import MapPage, all_shown
from tests.seat_map.shop import Shop
from tests.servers import wait_until
from tests.system import System
from tests.web import JSON

HALL: Final = {"generate": {"sections": 50, "rows": 20, "seatsPerRow": 50}}
ROUNDS: Final = 3
FEEDS: Final = int(os.environ.get("SEATING_FEEDS", "50"))


@pytest.fixture(scope="module")
def arena(seller: System) -> str:
    return seller.create_event(seatingPlan=HALL, currency="EUR", categories={"Seats": {"price": 4500}})


class Stopwatch:
    """The processor time that the page's scripts have taken, in ms: what other programs take does not count."""

    def __init__(self, page: MapPage) -> None:
        self._session = page.page.context.new_cdp_session(page.page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def total_ms(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        (found,) = (metric["value"] for metric in metrics if metric["name"] == "ScriptDuration")
        return 1000 * float(found)

    def of(self, act: Callable[[], object]) -> float:
        before = self.total_ms()
        act()
        return self.total_ms() - before


@pytest.fixture(scope="module")
def page(browser: Browser, shop: Shop, seller: System, arena: str) -> Iterator[MapPage]:
    """The map of the arena, opened once: each scale has tiles of its own, which are drawn anew."""
    opened = MapPage(browser, shop, arena, f"http://127.0.0.1:{seller.port}", timed=True).wait_live()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def watch(page: MapPage) -> Stopwatch:
    return Stopwatch(page)


def p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def next_frame(page: MapPage) -> None:
    page.page.evaluate("new Promise((go) => requestAnimationFrame(() => go(1)))")


def settle(page: MapPage) -> None:
    """Wait until nothing is left to draw: a map at rest asks for no frame."""
    page.page.wait_for_timeout(300)
    same = (
        "() => { const seen = window.frames_seen; window.frames_seen = frames_ms.length; return seen === frames_seen }"
    )
    page.page.wait_for_function(same, polling=150, timeout=60_000)


def test_first_draw(page: MapPage, watch: Stopwatch) -> None:
    """By the clock from the answers on or, on a busy machine, all scripts of the page: the best of three."""
    found: list[float] = []
    for _ in range(ROUNDS):
        scripts_ms = watch.of(lambda: (page.page.reload(), page.wait_live()))
        assert scripts_ms > 10
        found += [scripts_ms, page.page.evaluate("firstDrawMs")]
        print(f"first draw {found[-1]:.0f} ms, all scripts {scripts_ms:.0f} ms of processor time")
        if min(found) < 500:
            break
    assert min(found) < 500


@pytest.mark.parametrize(
    ("scale", "shown"),
    [
        ("far", ["sec-1-row-A-seat-1", "sec-43-row-T-seat-50"]),
        ("dots", ["sec-1-row-A-seat-1", "sec-12-row-T-seat-50"]),
        ("numbers", ["sec-12-row-A-seat-10", "sec-12-row-T-seat-40"]),
    ],
)
def test_panning(page: MapPage, watch: Stopwatch, scale: str, shown: list[str]) -> None:
    page.call(f"map.zoomTo({json.dumps(shown)})")
    settle(page)
    mouse, taken = page.page.mouse, []
    started = time.monotonic()
    for way in (-1, 1):
        mouse.move(640, 400)
        mouse.down()
        for step in range(40):

            def drag(step: int = step, way: int = way) -> None:
                mouse.move(640 + 8 * way * step, 400 + 6 * way * step)
                next_frame(page)

            taken.append(watch.of(drag))
        mouse.up()
    per_s = len(taken) / (time.monotonic() - started)
    print(f"{scale}: p95 of {len(taken)} frames {p95(taken):.1f} ms, {per_s:.0f} frames/s")
    assert p95(taken) <= 8


def set_seats(client: System, event: str, seats: list[str], status: str) -> None:
    body = json.dumps({"status": status, "seats": seats}).encode()
    assert client.request("PATCH", f"/api/v1/events/{event}/seats", body, JSON).status == 200


def seats_of(section: int, rows: str, count: int) -> list[str]:
    return [f"sec-{section}-row-{row}-seat-{number}" for row in rows for number in range(1, count + 1)]


NEXT_DRAWN: Final = """() => {
  const { feed } = document.querySelector('seating-map')
  window.drawn = new Promise((go) => {
    feed.addEventListener('seats', () => requestAnimationFrame(() => go(1)), { once: true })
  })
}"""


def test_a_change_of_two_hundred_seats(page: MapPage, watch: Stopwatch, arena: str, seller: System) -> None:
    """All of them in view: the message and the frame that shows it. Later rounds have warm code; the least is without
    what else the machine does.
    """
    page.call("map.zoomTo('Section 8')")
    settle(page)
    taken, seats = [], seats_of(8, "ABCD", 50)
    for status in ("reserved", "available") * 8:
        page.page.evaluate(NEXT_DRAWN)

        def change(status: str = status) -> None:
            set_seats(seller, arena, seats, status)
            page.page.evaluate("drawn")

        taken.append(watch.of(change))
        if taken[-1] < 5:
            break
        settle(page)
    print(f"200 seats: {', '.join(f'{each:.1f}' for each in taken)} ms")
    assert min(taken) < 5


def test_a_thousand_changes_a_second(page: MapPage, watch: Stopwatch, arena: str, seller: System) -> None:
    """Two thousand changes take less than two seconds of scripts by far, and the map is the server's then."""
    page.call("map.zoomTo('Section 7')")
    settle(page)
    seats = seats_of(7, "ABCD", 50)

    def change() -> None:
        for number in range(10):
            set_seats(seller, arena, seats, "reserved" if number % 2 == 0 else "available")
        wait_until(lambda: page.shows(seats[-1], "available"))

    taken = watch.of(change)
    print(f"2,000 changes: {taken:.0f} ms of scripts")
    assert taken < 500
    all_shown(page.page, seller, arena)


def test_among_many_feeds(page: MapPage, watch: Stopwatch, arena: str, seller: System) -> None:
    """Two hundred changes a second for three seconds, which all of these feeds get too."""
    since = seller.get(f"/api/v1/events/{arena}/seats").json["since"]
    feeds = [Socket(seller, f"/api/v1/events/{arena}/live?since={since}") for _ in range(FEEDS)]
    page.call("map.zoomTo('Section 9')")
    settle(page)
    taken, seats = [], seats_of(9, "AB", 10)
    for number in range(30):
        started = time.monotonic()

        def change(number: int = number) -> None:
            set_seats(seller, arena, seats, "reserved" if number % 2 == 0 else "available")
            next_frame(page)

        taken.append(watch.of(change))
        page.page.wait_for_timeout(max(0, 1000 * (0.1 + started - time.monotonic())))
    print(f"{FEEDS} feeds: p95 of {len(taken)} frames {p95(taken):.1f} ms")
    assert p95(taken) < 8
    for feed in feeds:
        feed.connection.close()
    all_shown(page.page, seller, arena)
