"""The buyer's page, from the choice of seats to the receipt, whatever comes between."""

import json
import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, expect

from tests.seat_map.browser import change_event
from tests.seat_map.conftest import OpenPage
from tests.seat_map.own_page import OwnPage
from tests.seat_map.theatre import OFFER, theatre
from tests.system import System
from tests.web import JSON

HALL: Final = {"generate": {"sections": 1, "rows": 4, "seatsPerRow": 10}}
PHONE: Final[dict[str, Any]] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
REFUSED: Final = r"status of 4\d\d"
GONE: Final = "net::ERR"


@pytest.fixture(scope="module")
def evening(seller: System) -> str:
    soon = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    return seller.create_event(seatingPlan=theatre(), startsAt=soon, venue="Old Theatre; Market Square, 1", **OFFER)


def test_one_buys_and_another_sees_it(open_page: OpenPage, hall: str, seller: System) -> None:
    """Within half a second of the answer."""
    buyer, other = open_page(hall), open_page(hall).wait_live()
    other.page.evaluate("""() => {
      const { feed } = document.querySelector('seating-map')
      feed.addEventListener('seats', () => { if (feed.statuses.includes(3)) window.sawAt ??= Date.now() })
    }""")
    buyer.hold_best()
    with buyer.page.expect_response("**/purchases") as answered:
        buyer("#main").click()
    assert answered.value.ok
    answered_at = time.time() * 1000
    other.page.wait_for_function("() => window.sawAt")
    assert other.page.evaluate("window.sawAt") < answered_at + 500
    buyer.wait_phase("receipt").page.wait_for_selector("[data-state=persisted]")
    for page in (buyer, other):
        page.close()


def test_the_page_of_the_default_event(browser: Browser, seller: System) -> None:
    page = OwnPage(browser, seller.port, "/")
    expect(page.wait_live()("#name")).to_have_text("Demo event")
    assert page.page.evaluate("window.shifts") < 0.01
    page.close()


def test_a_seat_that_another_took(open_page: OpenPage, hall: str, seller: System) -> None:
    """It leaves the choice with one sentence, and others are offered."""
    page = open_page(hall).wait_live()
    seats = ["sec-1-row-B-seat-3", "sec-1-row-B-seat-4"]
    page.page.evaluate(f"document.querySelector('seating-map').select({seats})")
    expect(page("#main")).to_have_text("Hold 2 seats")
    change_event(seller, f"{hall}/seats", status="reserved", seats=seats[:1])
    expect(page("#notice-text")).to_have_text("Section 1, row B, seat 3 was just taken by somebody else.")
    page.page.get_by_role("button", name="Hold the best 2 instead").click()
    page.wait_phase("held")
    assert page("#seats li").count() == 2
    page.close()


def test_opens_by_itself(open_page: OpenPage, seller: System) -> None:
    """By the server's clock and without a request, within the second after the time that was said."""
    event = seller.create_event(seatingPlan=HALL, onSaleAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    page = open_page(event).wait_live().wait_phase("before")
    opens = datetime.now(UTC) + timedelta(seconds=7)
    change_event(seller, event, onSaleAt=opens.isoformat())
    expect(page("#opening-left")).to_have_text(re.compile(r"^0:0\d$"))
    expect(page("#main")).to_have_text(re.compile("^Opens in 0:0"))
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    page.page.evaluate("document.querySelector('seating-map').select(['sec-1-row-A-seat-1'])")
    page.wait_phase("choose")
    late_s = time.time() - opens.timestamp()
    assert 0 < late_s < 3
    assert asked == []
    page("#main").click()
    page.wait_phase("held")
    page.close()


def test_an_opening_that_is_moved(open_page: OpenPage, seller: System) -> None:
    """The page hears of it by the feed alone."""
    opens = datetime.now(UTC) + timedelta(hours=1)
    event = seller.create_event(seatingPlan=HALL, onSaleAt=opens.isoformat())
    page = open_page(event).wait_live().wait_phase("before")
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    change_event(seller, event, onSaleAt=(opens + timedelta(hours=1)).isoformat())
    expect(page("#opening-left")).to_have_text(re.compile(r"^1:5\d:\d\d$"))
    change_event(seller, event, onSaleAt=None)
    page.wait_phase("choose")
    assert not [url for url in asked if url.endswith(event)]
    page.close()


def test_amounts_have_the_digits_of_their_currency(open_page: OpenPage, hall: str) -> None:
    """Chromium's own data gives forints and rupiahs none."""
    page = open_page(hall).wait_live()
    written = page.page.evaluate("""async () => {
      const { money } = await import('/static/money.js')
      const written = (currency, short) => money(1234500, currency, 'en', short).replace('\u00a0', ' ')
      return [...['HUF', 'IDR', 'JPY', 'EUR', 'KWD'].map((currency) => written(currency)), written('EUR', true)]
    }""")
    assert written == ["HUF 12,345.00", "IDR 12,345.00", "¥1,234,500", "€12,345.00", "KWD 1,234.500", "€12,345"]
    page.close()


def test_what_is_left_of_each_category(open_page: OpenPage, evening: str, seller: System) -> None:
    """Counted on the map, as seats go; a busy server's refusal keeps the choice."""
    page = open_page(evening).wait_live()
    row = page("#categories label").filter(has_text="Boxes")
    left = int(row.locator("small").inner_text().split()[0])
    wanted = json.dumps({"quantity": 2, "category": "Boxes"}).encode()
    path = f"/api/v1/events/{evening}/purchases"
    assert seller.request("POST", path, wanted, JSON | {"Idempotency-Key": str(uuid.uuid4())}).status == 200
    expect(row.locator("small")).to_have_text(f"{left - 2} left")
    busy = {"code": "BACKLOG_FULL", "message": "…"}
    page.page.route("**/holds", lambda route: route.fulfill(status=409, json=busy))
    page("#find").click()
    expect(page("#notice-text")).to_have_text("The server is busy. Your choice is kept; try again.")
    page.close(REFUSED)


def test_a_category_without_seats_is_not_offered(open_page: OpenPage, seller: System) -> None:
    plan = theatre()
    plan["categories"].append({"name": "Orchestra pit", "color": "#555555"})
    offer = {**OFFER, "categories": {**OFFER["categories"], "Orchestra pit": {"price": 100}}}
    page = open_page(seller.create_event(seatingPlan=plan, **offer)).wait_live().wait_phase("choose")
    expect(page("#categories label")).to_have_count(1 + len(OFFER["categories"]))
    expect(page("#categories")).not_to_contain_text("Orchestra pit")
    expect(page("#summary")).to_have_text("from €45.00")
    page.close()


def test_general_admission(open_page: OpenPage, seller: System) -> None:
    offer = {"Standing": {"totalSeats": 20, "price": 4900}, "Lounge": {"totalSeats": 4, "price": 12900}}
    event = seller.create_event(currency="EUR", categories=offer)
    page = open_page(event).wait_live().wait_phase("choose")
    page.page.get_by_role("radio", name="Lounge").check()
    page("#more").click()
    expect(page("#main")).to_have_text("Hold 3 tickets")
    page("#main").click()
    page.wait_phase("held")
    expect(page("#total")).to_have_text("€387.00")
    expect(page("#left")).to_have_text("21 of 24 left")
    page("#main").click()
    page.wait_phase("receipt")
    assert page("#receipt li").count() == 3
    page.close()


def test_paused_closed_sold_out_and_missing(open_page: OpenPage, seller: System) -> None:
    event = seller.create_event(seatingPlan={"generate": {"sections": 1, "rows": 1, "seatsPerRow": 4}})
    page = open_page(event).wait_live().wait_phase("choose")
    change_event(seller, event, state="paused")
    expect(page.wait_phase("paused")("#notice-text")).to_contain_text("The sale is paused")
    change_event(seller, event, state="on_sale")
    page.wait_phase("choose")
    assert seller.buy(4, event_id=event).status == 200
    expect(page.wait_phase("soldout")("#notice-text")).to_contain_text("Sold out")
    change_event(seller, event, state="closed")
    page.wait_phase("closed")
    page.close()
    bounded = open_page(seller.create_event(seatingPlan=HALL, maxPerBuyer=2)).wait_phase("elsewhere")
    expect(bounded("#notice-text")).to_contain_text("are sold through the organiser")
    assert not bounded("#main").is_visible()
    bounded.close()
    missing = open_page("nosuchevent").wait_phase("missing")
    expect(missing("#notice-text")).to_contain_text("There is no such event")
    missing.close(REFUSED)


def test_offline_says_why_it_waits(open_page: OpenPage, hall: str) -> None:
    page = open_page(hall).wait_live()
    page.context.set_offline(True)
    expect(page("#find")).to_have_text("Waiting for the connection")
    page.context.set_offline(False)
    page.hold_best().context.set_offline(True)
    expect(page("#offline")).to_be_visible()
    expect(page("#main")).to_have_text("Waiting for the connection")
    page.context.set_offline(False)
    expect(page("#main")).to_have_text("Buy now")
    page("#main").click()
    page.wait_phase("receipt")
    page.close(GONE, "WebSocket")


def test_keyboard_alone_from_start_to_receipt(open_page: OpenPage, evening: str) -> None:
    page = open_page(evening).wait_live()
    keyboard = page.page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(40):
            if page.page.evaluate(f"Boolean(document.activeElement?.closest('{selector}'))"):
                return
            keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {selector}")

    tab_to("seating-map")
    for key in (*["ArrowRight"] * 4, "ArrowDown", "Enter"):
        keyboard.press(key)
    expect(page("#seats li")).to_have_text(re.compile("Stalls, row A"))
    tab_to("#main")
    keyboard.press("Enter")
    page.wait_phase("held")
    assert page.page.evaluate("document.activeElement.id") == "main"
    keyboard.press("Enter")
    page.wait_phase("receipt")
    expect(page("#receipt h2")).to_be_focused()
    page.close()


def test_a_phone(open_page: OpenPage, evening: str) -> None:
    """A thumb's way: the sheet, the best two, the receipt; the main button never leaves the screen."""
    page = open_page(evening, permissions=["clipboard-write"], **PHONE).wait_live()
    assert page.page.evaluate("window.shifts") < 0.01
    for height in ("peek", "half"):
        assert page("#panel").get_attribute("data-height") == height
        box = page("#main").bounding_box()
        assert box
        assert 844 - 120 < box["y"] + box["height"] <= 844
        tools, seats = (page(f"seating-map .{name}").bounding_box() for name in ("tools", "seats"))
        assert tools
        assert seats
        assert tools["y"] + tools["height"] <= seats["y"]
        if height == "peek":
            page("#grip").tap()
    page("#find").tap()
    page.wait_phase("held")
    page("#main").tap()
    page.wait_phase("receipt")
    assert page("#panel").get_attribute("data-height") == "full"
    assert page.overflow() <= 0
    page.page.get_by_role("button", name="Copy").tap()
    expect(page("#receipt dd button")).to_have_text("Copied")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: OpenPage, evening: str, scheme: str) -> None:
    page = open_page(evening, color_scheme=scheme).hold_best()
    assert page.findings() == []
    page("#main").click()
    page.wait_phase("receipt")
    assert page.findings() == []
    page.close()


def test_german_on_the_smallest_phone_with_large_text(open_page: OpenPage, evening: str) -> None:
    page = open_page(evening, locale="de-DE", viewport={"width": 320, "height": 640}).wait_live()
    assert page.page.evaluate("document.documentElement.lang") == "de"
    page("#grip").click()
    expect(page("#find")).to_have_text("Die besten 2 reservieren")
    page.page.evaluate("document.documentElement.style.fontSize = '32px'")
    assert page.overflow() <= 0
    page("#find").click()
    page.wait_phase("held")
    expect(page("#main")).to_have_text(re.compile("^Für .+ kaufen$"))
    expect(page("#main")).to_be_in_viewport(ratio=1)
    assert page.overflow() <= 0
    page.close()
