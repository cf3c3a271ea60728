"""The buyer's page, from the choice of seats to the receipt, whatever comes between."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.seat_map.own_page import OwnPage
from tests.seat_map.theatre import OFFER, theatre
from tests.servers import wait_until
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

OpenPage = Callable[..., OwnPage]


@pytest.fixture
def open_page(browser: Browser, seller: System) -> Iterator[OpenPage]:
    opened: list[OwnPage] = []

    def opens(event: str, query: str = "", **options: Any) -> OwnPage:
        opened.append(OwnPage(browser, seller.port, f"/events/{event}{query}", **options))
        return opened[-1]

    yield opens
    for page in opened:
        page.context.close()


@pytest.fixture
def hall(seller: System) -> str:
    return seller.create_event(seatingPlan=HALL)


@pytest.fixture(scope="module")
def evening(seller: System) -> str:
    soon = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    return seller.create_event(seatingPlan=theatre(), startsAt=soon, venue="Old Theatre; Market Square, 1", **OFFER)


def _patch(seller: System, path: str, **body: Any) -> None:
    answer = seller.request("PATCH", f"/api/v1/events/{path}", json.dumps(body).encode(), JSON)
    assert answer.status == 200, answer.body


def _bought(seller: System, event: str) -> int:
    """The number of seats that are sold."""
    sold: int = seller.get(f"/api/v1/events/{event}").json["seatsSold"]
    return sold


def _hold_best(page: OwnPage) -> OwnPage:
    page.wait_live()
    page("#find").click()
    return page.wait_phase("held")


def test_one_buys_and_another_sees_it(open_page: OpenPage, hall: str, seller: System) -> None:
    """Within half a second of the answer."""
    buyer, other = open_page(hall), open_page(hall).wait_live()
    other.page.evaluate("""() => {
      const { feed } = document.querySelector('seating-map')
      feed.addEventListener('seats', () => { if (feed.statuses.includes(3)) window.sawAt ??= Date.now() })
    }""")
    _hold_best(buyer)
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


class TestOnePurchase:
    """However often it is asked for."""

    def test_a_double_click(self, open_page: OpenPage, hall: str, seller: System) -> None:
        page = _hold_best(open_page(hall))
        page("#main").dblclick()
        page.wait_phase("receipt")
        assert _bought(seller, hall) == 2
        page.close()

    def test_a_lost_answer_and_a_reload(self, open_page: OpenPage, hall: str, seller: System) -> None:
        """The server sells, no answer comes, the buyer reloads: the page asks again, with the same key."""
        page = _hold_best(open_page(hall))
        keys: list[str] = []

        def lose(route: Route) -> None:
            keys.append(route.request.headers["idempotency-key"])
            route.fetch()
            route.abort()

        page.page.route("**/purchases", lose)
        page("#main").click()
        expect(page("#notice-text")).to_have_text("No answer yet. Asking again; you will not buy twice.")
        wait_until(lambda: _bought(seller, hall) == 2)
        page.page.unroute("**/purchases")
        with page.page.expect_request("**/purchases") as again:
            page.page.reload()
        page.wait_phase("receipt")
        assert again.value.headers["idempotency-key"] == keys[0]
        assert _bought(seller, hall) == 2
        page.close(GONE)

    def test_two_tabs_keep_two_purchases(self, open_page: OpenPage, hall: str, seller: System) -> None:
        """One lost its answer, then the other buys: after a reload each shows its own receipt."""
        page = _hold_best(open_page(hall))
        own = page("#seats li").first.inner_text().split("\n")[0]
        other = page.page.context.new_page()
        other.goto(page.page.url)
        other.wait_for_selector("seating-map[connection=live]")
        other.click("#find")
        other.wait_for_selector("body[data-phase=held]")
        page.page.route("**/purchases", lambda route: (route.fetch(), route.abort()))
        page("#main").click()
        wait_until(lambda: _bought(seller, hall) == 2)
        other.click("#main")
        other.wait_for_selector("body[data-phase=receipt]")
        page.page.unroute("**/purchases")
        page.page.reload()
        page.wait_phase("receipt")
        expect(page("#receipt li").first).to_contain_text(own)
        assert page("#receipt code").inner_text() != other.inner_text("#receipt code")
        assert _bought(seller, hall) == 4
        for name in page.stored("localStorage"):
            page.page.evaluate(f"localStorage.setItem({json.dumps(name)}, '{{')")
        page.page.reload()
        page.wait_phase("choose")
        page.close(GONE)

    def test_a_refused_purchase_leaves_its_hold_in_view(self, open_page: OpenPage, hall: str, seller: System) -> None:
        page = _hold_best(open_page(hall))
        page.page.route("**/purchases", lambda route: route.abort())
        page("#main").click()
        expect(page("#notice-text")).to_contain_text("No answer yet")
        _patch(seller, hall, state="paused")
        page.page.unroute("**/purchases")
        page.page.reload()
        page.wait_phase("held")
        assert page("#seats li").count() == 2
        _patch(seller, hall, state="on_sale")
        page("#main").click()
        page.wait_phase("receipt")
        page.close(GONE, REFUSED)

    def test_the_back_button(self, open_page: OpenPage, hall: str, seller: System) -> None:
        page = _hold_best(open_page(hall))
        page("#main").click()
        page.wait_phase("receipt")
        receipt = page("#receipt code").inner_text()
        page.page.goto(f"{page.origin}/control")
        page.page.go_back()
        page.wait_phase("receipt")
        assert page("#receipt code").inner_text() == receipt
        page.page.get_by_role("button", name="Buy more").click()
        page.wait_phase("choose")
        assert _bought(seller, hall) == 2
        page.close()


class TestHold:
    def test_outlives_a_reload_and_can_be_given_back(self, open_page: OpenPage, hall: str) -> None:
        page = _hold_best(open_page(hall))
        page.page.reload()
        page.wait_phase("held")
        assert page("#seats li").count() == 2
        page("#release").click()
        page.wait_phase("choose").page.reload()
        page.wait_live().wait_phase("choose")
        page.close()

    def test_runs_out_in_view(self, open_page: OpenPage, hall: str, seller: System) -> None:
        """Quiet until two minutes are left; then the seats go, with one sentence."""
        page = open_page(hall)
        page.page.clock.install()
        page.page.reload()
        _hold_best(page)
        expect(page("#hold-text")).to_have_text(re.compile("^Yours for (10:00|9:5[0-9])$"))
        assert "short" not in (page("#hold").get_attribute("class") or "")
        page.page.clock.fast_forward("08:10")
        expect(page("#hold")).to_have_class(re.compile("short"))
        token = page.stored("sessionStorage")[f"seating:{hall}:hold"]
        assert seller.request("DELETE", f"/api/v1/events/{hall}/holds/{token}").status == 204
        page.page.clock.fast_forward("02:00")
        page.wait_phase("choose")
        expect(page("#notice-text")).to_have_text("Your hold has ended and the seats are on sale again.")
        page.close(REFUSED)

    def test_its_seats_can_be_changed(self, open_page: OpenPage, hall: str) -> None:
        page = _hold_best(open_page(hall))
        page("#seats button").first.click()
        expect(page("#main")).to_have_text("Change to 1 seat")
        page("#main").click()
        expect(page("#main")).to_have_text("Buy now")
        assert page("#seats li").count() == 1
        page("#extend").click()
        expect(page("#notice-text")).to_have_text(re.compile("extended"))
        page.close()


def test_a_seat_that_another_took(open_page: OpenPage, hall: str, seller: System) -> None:
    """It leaves the choice with one sentence, and others are offered."""
    page = open_page(hall).wait_live()
    seats = ["sec-1-row-B-seat-3", "sec-1-row-B-seat-4"]
    page.page.evaluate(f"document.querySelector('seating-map').select({seats})")
    expect(page("#main")).to_have_text("Hold 2 seats")
    _patch(seller, f"{hall}/seats", status="reserved", seats=seats[:1])
    expect(page("#notice-text")).to_have_text("Section 1, row B, seat 3 was just taken by somebody else.")
    page.page.get_by_role("button", name="Hold the best 2 instead").click()
    page.wait_phase("held")
    assert page("#seats li").count() == 2
    page.close()


def test_opens_by_itself(open_page: OpenPage, seller: System) -> None:
    """By the server's clock and without a request, within the second after the time that was said."""
    opens = datetime.now(UTC) + timedelta(seconds=8)
    event = seller.create_event(seatingPlan=HALL, onSaleAt=opens.isoformat())
    page = open_page(event).wait_live().wait_phase("before")
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
    assert (
        seller.request("POST", path, wanted, JSON | {"Idempotency-Key": "two-places-in-one-of-the-boxes"}).status == 200
    )
    expect(row.locator("small")).to_have_text(f"{left - 2} left")
    busy = {"code": "BACKLOG_FULL", "message": "…"}
    page.page.route("**/holds", lambda route: route.fulfill(status=409, json=busy))
    page("#find").click()
    expect(page("#notice-text")).to_have_text("The server is busy. Your choice is kept; try again.")
    page.close(REFUSED)


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
    _patch(seller, event, state="paused")
    expect(page.wait_phase("paused")("#notice-text")).to_contain_text("The sale is paused")
    _patch(seller, event, state="on_sale")
    page.wait_phase("choose")
    assert seller.buy(4, event_id=event).status == 200
    expect(page.wait_phase("soldout")("#notice-text")).to_contain_text("Sold out")
    _patch(seller, event, state="closed")
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
    page = _hold_best(open_page(hall))
    page.context.set_offline(True)
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
    page = open_page(evening, **PHONE).wait_live()
    for height in ("peek", "half"):
        assert page("#panel").get_attribute("data-height") == height
        box = page("#main").bounding_box()
        assert box
        assert 844 - 120 < box["y"] + box["height"] <= 844
        if height == "peek":
            page("#grip").tap()
    page("#find").tap()
    page.wait_phase("held")
    page("#main").tap()
    page.wait_phase("receipt")
    assert page("#panel").get_attribute("data-height") == "full"
    assert page.overflow() <= 0
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: OpenPage, evening: str, scheme: str) -> None:
    page = _hold_best(open_page(evening, color_scheme=scheme))
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
    assert page.overflow() <= 0
    page.close()


def test_a_calendar_file_and_a_receipt_on_paper(open_page: OpenPage, evening: str, seller: System) -> None:
    page = _hold_best(open_page(evening))
    page("#main").click()
    page.wait_phase("receipt")
    with page.page.expect_download() as saved:
        page.page.get_by_role("button", name="Add to calendar").click()
    file = saved.value.path().read_bytes()
    text = file.replace(b"\r\n ", b"").decode()
    assert saved.value.suggested_filename == f"{evening}.ics"
    assert "LOCATION:Old Theatre\\; Market Square\\, 1\r\n" in text
    assert all(len(line) <= 75 for line in file.split(b"\r\n"))
    assert page("#receipt code").inner_text() in text
    bought = f"/api/v1/purchases/{page('#receipt code').inner_text()}"
    wait_until(lambda: seller.get(bought).json["state"] == "persisted")
    cancelled, _ = seller.get(bought).json["seats"]
    assert seller.request("DELETE", f"{bought}?seats={cancelled}").status == 200
    page.page.reload()
    expect(page("#receipt .cancelled")).to_contain_text(f"seat {cancelled.split('-')[-1]}")
    price = page("#receipt li:not(.cancelled) .number").inner_text()
    assert page("#receipt li").count() == 2
    expect(page("#receipt dd.number")).to_have_text(price)
    page.page.emulate_media(media="print")
    assert not page("seating-map").is_visible()
    assert page("#receipt li").first.is_visible()
    page.close()
