"""Whatever happens between the page and the product, the map comes back by itself and shows the truth."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocket, expect

from tests.seat_map.browser import MapPage, all_shown, seats_sold
from tests.seat_map.conftest import OpenMap, OpenPage
from tests.seat_map.network import Network
from tests.seat_map.own_page import OwnPage
from tests.servers import wait_until
from tests.system import System, running_system
from tests.web import JSON

HALL: Final = {"generate": {"sections": 2, "rows": 5, "seatsPerRow": 10}}
BROKEN: Final = ("WebSocket", "net::ERR", "status of 503")


@pytest.fixture(scope="module")
def event(seller: System) -> str:
    return seller.create_event(seatingPlan=HALL)


@pytest.fixture
def network(seller: System) -> Iterator[Network]:
    between = Network(seller.port)
    yield between
    between.stop()


@pytest.fixture
def page(open_map: OpenMap, event: str, network: Network) -> Iterator[MapPage]:
    opened = open_map(event, server=network.origin)
    yield opened
    opened.close(BROKEN)


def set_seats(client: System, event: str, seats: list[str], status: str) -> None:
    body = json.dumps({"status": status, "seats": seats}).encode()
    assert client.request("PATCH", f"/api/v1/events/{event}/seats", body, JSON).status == 200


def state(page: MapPage) -> str | None:
    return page.page.get_attribute("seating-map", "connection")


def test_a_network_that_went_away_without_a_word(page: MapPage, network: Network, seller: System, event: str) -> None:
    """The socket looks open; the map asks after 15 s of silence or, after 2 s, when it is touched. It is not shown as
    live while nothing answers.
    """
    network.cut()
    seller.buy(2, event_id=event)

    def has_noticed() -> bool:
        page.page.mouse.click(5, 5)
        return state(page) != "live"

    wait_until(has_noticed, 40, "the map to notice")
    network.restore()
    wait_until(lambda: state(page) == "live", 40, "the map to come back")
    all_shown(page.page, seller, event)


def test_a_machine_that_is_offline(page: MapPage, seller: System, event: str) -> None:
    """The browser says so. The map turns pale, says that it may be out of date, and resumes without a snapshot."""
    page.page.context.set_offline(True)
    wait_until(lambda: state(page) == "offline", 5)
    assert page.page.locator("seating-map .state").inner_text() == "Offline. The map may be out of date"
    seller.buy(3, event_id=event)
    asked = page.page.evaluate("performance.getEntriesByType('resource').length")
    page.page.context.set_offline(False)
    wait_until(lambda: state(page) == "live", 20)
    all_shown(page.page, seller, event)
    again = page.page.evaluate(f"performance.getEntriesByType('resource').slice({asked}).map(({{ name }}) => name)")
    assert not [name for name in again if name.endswith("/plan")]


def test_a_sale_that_is_paused(page: MapPage, seller: System, event: str) -> None:
    for word in ("paused", "on_sale"):
        body = json.dumps({"state": word}).encode()
        assert seller.request("PATCH", f"/api/v1/events/{event}", body, JSON).status == 200
        wait_until(lambda: page.call("map.eventDetails.state") == word)  # noqa: B023


def test_the_buyers_page_through_all_of_it(browser: Browser, seller: System, network: Network) -> None:
    """With seats on hold: a cut of the network, a server that restarts, an inventory that is rebuilt."""
    hall = seller.create_event(seatingPlan=HALL)
    waits = {
        "map/attention.js": {"SILENCE_MS": 3_000, "CHECK_MS": 1_000},
        "seating-feed.js": {"MOST_WAIT_MS": 2_000},
    }
    page = OwnPage(browser, int(network.origin.split(":")[-1]), f"/events/{hall}", waits).hold_best()
    chosen = page("#seats").inner_text()
    rest = 98

    def sold_meanwhile() -> None:
        nonlocal rest
        seller.buy(3, event_id=hall)
        rest -= 3

    def shows_the_truth() -> None:
        expect(page("seating-map")).to_have_attribute("connection", "live", timeout=60_000)
        all_shown(page.page, seller, hall)
        expect(page("#left")).to_have_text(f"{rest} of 100 left")
        expect(page("#seats")).to_have_text(chosen, use_inner_text=True)
        expect(page("#main")).to_have_text("Buy now")

    network.cut()
    sold_meanwhile()
    expect(page("#offline")).to_be_visible(timeout=60_000)
    expect(page("#main")).to_have_text("Waiting for the connection")
    network.restore()
    shows_the_truth()
    seller.parts["web"].stop()
    expect(page("seating-map")).not_to_have_attribute("connection", "live", timeout=60_000)
    seller.start_part("web")
    seller.wait_ready(60)
    sold_meanwhile()
    shows_the_truth()
    seller.command("rebuild", hall)
    sold_meanwhile()
    shows_the_truth()
    page("#main").click()
    page.wait_phase("receipt")
    page.close(*BROKEN)


def test_a_feed_that_is_refused(browser: Browser, tmp_path: Path) -> None:
    """Another page of the address has the only feed. The server answers all else, and sells."""
    with running_system(tmp_path, "web", LIVE_CONNECTIONS_PER_ADDRESS="1") as system:
        first = OwnPage(browser, system.port, "/events/demo").wait_live()
        second = first.context.new_page()
        second.clock.install()
        refused: list[WebSocket] = []
        second.on("websocket", lambda socket: socket.on("close", lambda closed: refused.append(closed)))
        second.goto(first.page.url)

        def has_been_refused(times: int) -> bool:
            second.title()  # What the browser tells is heard while it is asked.
            return len(refused) >= times

        wait_until(lambda: has_been_refused(1), 30)
        second.clock.fast_forward(8_000)
        wait_until(lambda: has_been_refused(2), 30)
        expect(second.locator("#find")).to_have_text("Hold the best 2")
        expect(second.locator("seating-map")).to_have_attribute("connection", "catchingup")
        second.click("#find")
        second.wait_for_selector("body[data-phase=held]")
        second.click("#main")
        second.wait_for_selector("body[data-phase=receipt]")
        assert seats_sold(system, "demo") == 2
        first.close()


def unavailable_while(page: Page, event: str, is_so: Callable[[int], bool]) -> list[str]:
    """Redis was restarted between snapshot and event: no message says when the term has begun.

    `is_so` gets the number of requests. Returns these.
    """
    unavailable = {"state": "unavailable", "selling": False, "seatsSold": None, "seatsRemaining": None}
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | (unavailable if is_so(len(asked)) else {}))

    page.route(f"**/api/v1/events/{event}", answer)
    return asked


def test_an_event_that_could_not_sell_when_it_was_read(open_page: OpenPage, seller: System) -> None:
    event = seller.create_event(seatingPlan=HALL)
    page = open_page(event).wait_live().wait_phase("choose")
    has_shown_it: list[bool] = []
    unavailable_while(page.page, event, lambda _: not has_shown_it)
    page.page.evaluate("document.querySelector('seating-map').feed.refresh()")
    page.wait_phase("unavailable")
    has_shown_it.append(True)
    page.wait_phase("choose").wait_live()
    page.close()


def test_an_embedded_map_of_such_an_event(open_map: OpenMap, seller: System) -> None:
    """It asks again, waiting longer each time, until the event sells; it is not offline, for the server answers."""
    event = seller.create_event(seatingPlan=HALL)
    page = open_map(event)
    asked = unavailable_while(page.page, event, lambda number: number <= 2)
    page.call("map.feed.addEventListener('event', () => (window.states ??= []).push(map.eventDetails.state))")
    page.call("map.refresh()")
    page.wait_for("window.states?.includes('on_sale')")
    assert page.page.evaluate("states.slice(0, 3)") == ["unavailable", "unavailable", "on_sale"]
    page.wait_live()
    assert len(asked) == 3
    assert page.told("offline") == []
    page.close()


def test_more_changes_than_the_feed_sends(open_map: OpenMap, seller: System) -> None:
    """The feed asks for a snapshot instead."""
    wide = seller.create_event(seatingPlan={"generate": {"sections": 1, "rows": 10, "seatsPerRow": 60}})
    page = open_map(wide)
    seats = [f"sec-1-row-{row}-seat-{number}" for row in "ABCDEFGHIJ" for number in range(1, 61)]
    set_seats(seller, wide, seats, "reserved")
    all_shown(page.page, seller, wide)
    wait_until(lambda: state(page) == "live", 20)
    page.close()
