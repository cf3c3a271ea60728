"""The control room: who gets in, what it shows, and that each act does what its button says."""

import json
import re
import uuid

import pytest
from playwright.sync_api import Browser, FloatRect, Route, expect

from tests.doors import TOKEN, bearer
from tests.seat_map.conftest import GALA, REFUSED, in_its_own_time
from tests.seat_map.own_page import OwnPage
from tests.servers import wait_until
from tests.system import System
from tests.web import JSON


def _left(guarded: System, event: str) -> int:
    left: int = guarded.get(f"/api/v1/events/{event}").json["seatsRemaining"]
    return left


def test_a_key_is_wanted_and_kept_in_this_tab_only(browser: Browser, guarded: System) -> None:
    page = OwnPage(browser, guarded.port, "/control")
    expect(page("#door")).to_be_visible()
    page("#key").fill("seating-operate-" + "x" * 43)
    page("#key").press("Enter")
    expect(page("#door-error")).to_have_text("This API key does not exist or was removed")
    page("#key").fill(TOKEN)
    page("#key").press("Enter")
    expect(page("#room")).to_be_visible()
    page.page.reload()
    expect(page("#room")).to_be_visible()
    assert (page.stored("localStorage"), TOKEN in page.page.content()) == ({}, False)
    another = page.context.new_page()
    another.goto(f"{page.origin}/control")
    expect(another.locator("#door")).to_be_visible()
    page("#leave").click()
    expect(page("#door")).to_be_visible()
    page.close(REFUSED)


@in_its_own_time
def test_numbers_chart_and_estimate(room: OwnPage, guarded: System, gala: str) -> None:
    assert guarded.buy(4, event_id=gala).status == 200
    expect(room("#sold")).to_have_text("4")
    expect(room("#left")).to_have_text("96")
    expect(room("#p99")).to_have_text(re.compile(r" ms$"))
    expect(room("#events tr.chosen td.number").last).to_have_text("€180.00", timeout=30_000)
    expect(room("#estimate")).to_have_text(re.compile("^At this rate sold out in|^Nothing sold"), timeout=30_000)
    expect(room("#decisions")).to_have_text("Nothing. Sales, records and stores agree.")
    assert room.page.evaluate("window.shifts") < 0.1
    assert room("#chart canvas").count() == 1
    gauges = {row.split("\n")[0]: row for row in room("#gauges div").all_inner_texts()}
    for name in ("Not in SQL yet", "Jobs in the queue", "Open feeds", "Cache hits"):
        assert room("#gauges div").filter(has_text=name).locator("svg").count() == 1, gauges
    one_key = str(uuid.uuid4())
    assert [guarded.buy(number, one_key, gala).status for number in (1, 2)] == [200, 422]
    expect(room("#gauges")).to_contain_text("Refused: idempotency key reused")
    assert room.findings() == []
    for width, text in ((320, "16px"), (1280, "32px"), (390, "32px")):
        room.page.set_viewport_size({"width": width, "height": 800})
        room.page.evaluate(f"document.documentElement.style.fontSize = '{text}'")
        # The chart takes its new width a frame later.
        wait_until(lambda: room.overflow() <= 0, what=f"nothing to be cut off at {width} px")


def test_an_estimate_has_a_range_where_that_says_more(room: OwnPage) -> None:
    def estimate(*sold: int) -> str:
        history = [[10_000 * number, count] for number, count in enumerate(sold)]
        found: str = room.page.evaluate(
            "async ([history, left]) => (await import('/static/control/figures.js')).sellOut(history, left)",
            [history, 6000],
        )
        return found

    assert estimate(0, 100, 200, 300) == "At this rate sold out in 10 min."
    assert estimate(0, 100, 202, 300) == "At this rate sold out in 10 min."
    assert estimate(0, 200, 300, 350) == "At this rate sold out in 9 min, between 5 min and 20 min."


def lasso(room: OwnPage, box: FloatRect, *, first: int = 0, last: int = 4) -> None:
    """Draw a line around all seats, or the part of it between two of its corners."""
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99), (0.01, 0.01)]
    for number, (right, down) in enumerate(corners[first : last + 1], first):
        room.page.mouse.move(box["x"] + right * box["width"], box["y"] + down * box["height"], steps=4)
        if number == 0:
            room.page.mouse.down()
    if last == 4:
        room.page.mouse.up()


def hall_box(room: OwnPage) -> FloatRect:
    """Where the hall is in the window, once it is drawn and stays there."""
    expect(room("#sections button")).to_have_count(2)
    room("#hall").evaluate("hall => hall.scrollIntoView({ block: 'center' })")  # Not below the bar at the top.
    box = None
    while (found := room("#hall").bounding_box()) is None or found != box:
        box = found
        room.wait_shown()
    return box


def test_a_lasso_blocks_and_a_section_releases(room: OwnPage, guarded: System, gala: str) -> None:
    lasso(room, hall_box(room))
    expect(room("#acts p")).to_have_text("100 seats chosen: 100 available.")
    room.page.get_by_role("button", name="Block 100 seats").click()
    expect(room("#confirm h2")).to_have_text("Block 100 seats. Buyers see them go at once.")
    room("#why").fill("behind the mixing desk")
    room("#confirm").get_by_role("button", name="Block 100 seats").click()
    wait_until(lambda: _left(guarded, gala) == 0)
    room("#sections button").first.click()
    expect(room("#acts p")).to_have_text("50 seats chosen: 50 reserved.")
    room.page.get_by_role("button", name="Release 50 seats").click()
    room("#confirm").get_by_role("button", name="Release 50 seats").click()
    wait_until(lambda: _left(guarded, gala) == 50)
    expect(room("#audit")).to_contain_text("behind the mixing desk")


# A list grows, and a move of the pointer is heard before the page is laid out anew for a frame.
GROWN = """([clientX, clientY]) => {
  document.querySelector('ABOVE').append(Object.assign(document.createElement('div'), { style: 'block-size: 300px' }))
  const move = new PointerEvent('pointermove', { pointerId: 1, bubbles: true, clientX, clientY })
  document.querySelector('#hall').dispatchEvent(move)
}"""


@pytest.mark.parametrize("above", ["#decisions", "#room > header"])
def test_what_grows_above_bends_no_line(room: OwnPage, gala: str, above: str) -> None:
    box = hall_box(room)
    lasso(room, box, last=2)
    where = [box["x"] + 0.5 * box["width"], box["y"] + 0.99 * box["height"]]
    room.page.evaluate(GROWN.replace("ABOVE", above), where)
    lasso(room, box, first=3)
    expect(room("#acts p")).to_have_text("100 seats chosen: 100 available.")


def test_lists_that_come_late_move_no_seat(browser: Browser, guarded: System, gala: str) -> None:
    """An operator who draws a line while the lists above the hall are still on their way."""
    room = OwnPage(browser, guarded.port, f"/control?event={gala}", viewport={"width": 1440, "height": 900})
    late: list[Route] = []
    are_late = True

    def keep(route: Route) -> None:
        late.append(route) if are_late else route.continue_()

    for path in ("quarantine?*", "losses?*", "events/*/purchases?*", "audit?limit=20"):
        room.page.route(f"**/api/v1/{path}", keep)
    room("#key").fill(TOKEN)
    room("#key").press("Enter")
    box = hall_box(room)
    lasso(room, box, last=2)
    are_late = False
    for route in late:
        route.continue_()
    expect(room("#purchases")).to_have_text("Nothing is recorded yet.")
    expect(room("#decisions")).to_have_text("Nothing. Sales, records and stores agree.")
    moved = room("#hall").bounding_box()
    assert moved
    assert abs(moved["y"] - box["y"]) < 1  # Lists have heights between two pixels, and pages scroll by whole ones.
    lasso(room, box, first=3)
    expect(room("#acts p")).to_have_text("100 seats chosen: 100 available.")
    room.close(REFUSED)


def test_seats_are_sold_at_the_box_office_by_a_line_and_by_section(room: OwnPage, guarded: System, gala: str) -> None:
    expect(room("#sections button")).to_have_count(2)
    room("#zoom-in").click()
    lasso(room, hall_box(room))
    expect(room("#acts p")).to_have_text(re.compile(r"^\d\d seats chosen: \d\d available\.$"))
    room("#zoom-all").click()
    room("#sections button").first.click()
    room("#sections button").last.click(modifiers=["Shift"])
    expect(room("#acts p")).to_have_text("100 seats chosen: 100 available.")
    guarded.buy(2, event_id=gala)
    expect(room("#acts p")).to_have_text("100 seats chosen: 98 available, 2 sold.")
    room("#sections button").last.click()
    room.page.get_by_role("button", name="Sell 50 seats at the box office").click()
    room("#why").fill("a school")
    room("#confirm").get_by_role("button", name="Sell 50 seats at the box office").click()
    wait_until(lambda: guarded.get(f"/api/v1/events/{gala}").json["seatsSold"] == 52)


def test_who_has_a_seat_and_since_when(room: OwnPage, guarded: System) -> None:
    """By search, and by a click on the only seat of a hall."""
    plan = {"name": "Chair", "seatingPlan": {"generate": {"sections": 1, "rows": 1, "seatsPerRow": 1}}}
    chair = guarded.request("POST", "/api/v1/events", json.dumps(plan).encode(), JSON | bearer(TOKEN)).json["id"]
    order = json.dumps({"quantity": 1, "reference": "A-7", "note": "window"}).encode()
    sent = JSON | bearer(TOKEN) | {"Idempotency-Key": str(uuid.uuid4())}
    bought = guarded.request("POST", f"/api/v1/events/{chair}/purchases", order, sent).json["purchaseId"]
    room.page.goto(f"{room.origin}/control?event={chair}")
    expect(room("#event")).to_have_value(chair)
    room("#find").fill("sec-1-row-A-seat-1")
    room("#find").press("Enter")
    sold = re.compile(r"^Sold since [\d:]+: A-7, window\.$")
    expect(room("#seat-now")).to_have_text(sold)
    room("#seat-history").get_by_role("button", name=bought).click()
    expect(room("#purchases tbody th")).to_have_text(bought)
    room.page.reload()
    expect(room("#sections button")).to_have_count(1)
    room("#hall").scroll_into_view_if_needed()
    box = room("#hall").bounding_box()
    assert box
    downwards = iter(range(int(box["y"] + box["height"] / 2), int(box["y"] + box["height"]), 15))
    while not room("#acts p").is_visible():
        room.page.mouse.click(box["x"] + box["width"] / 2, next(downwards))
    expect(room("#acts p")).to_have_text("1 seat chosen: 1 sold.")
    expect(room("#seat-now")).to_have_text(sold)


def test_refused_metrics_do_not_pass_for_numbers(room: OwnPage) -> None:
    """The event's own numbers go on; those of the metrics say where to look."""
    room.page.route("**/metrics", lambda route: route.fulfill(status=403, body="<html>"))
    expect(room("#late")).to_contain_text("docs/pages.md")
    expect(room("#decisions h3")).to_have_text("Whether sales are recorded is not known")
    expect(room("#late")).to_contain_text("old", timeout=15_000)
    room.page.unroute("**/metrics")
    expect(room("#late")).to_be_hidden()
    expect(room("#decisions")).to_have_text("Nothing. Sales, records and stores agree.")


def test_what_the_metrics_leave_out_is_not_nought(room: OwnPage) -> None:
    """While Redis does not answer, they have nothing from it."""
    room.page.route("**/metrics", lambda route: route.fulfill(body="seating_redis_up 0.0\n"))
    for name in ("Not in SQL yet", "Workers", "Breakers", "Quarantine"):
        expect(room("#gauges div").filter(has_text=name).locator("dd")).to_have_text("\u2013")
    expect(room("#decisions h3")).to_have_text("Whether sales are recorded is not known")


def test_a_draft_shows_its_seats_and_that_they_are_not_live(room: OwnPage, guarded: System) -> None:
    body = json.dumps({"name": "Later", "seatingPlan": GALA, "state": "draft"}).encode()
    draft = guarded.request("POST", "/api/v1/events", body, JSON | bearer(TOKEN)).json["id"]
    room.page.goto(f"{room.origin}/control?event={draft}")
    expect(room("#sections button")).to_have_count(2)
    expect(room("#hall-state")).to_contain_text("not live")
    room("#sections button").first.click()
    room.page.get_by_role("button", name="Block 50 seats").click()
    room("#confirm").get_by_role("button", name="Block 50 seats").click()
    expect(room("#acts")).to_be_hidden()
    room("#sections button").first.click()
    expect(room("#acts p")).to_have_text("50 seats chosen: 50 reserved.")


def test_a_draft_that_is_put_on_sale_is_live(room: OwnPage, guarded: System) -> None:
    body = json.dumps({"name": "Now", "seatingPlan": GALA, "state": "draft"}).encode()
    draft = guarded.request("POST", "/api/v1/events", body, JSON | bearer(TOKEN)).json["id"]
    room.page.goto(f"{room.origin}/control?event={draft}")
    expect(room("#hall-state")).to_contain_text("This map of a draft is not live")
    answer = guarded.request("PATCH", f"/api/v1/events/{draft}", b'{"state": "on_sale"}', JSON | bearer(TOKEN))
    assert answer.status == 200
    expect(room("#hall-state")).to_be_hidden()
    room("#sections button").first.click()
    assert guarded.buy(2, event_id=draft).status == 200
    expect(room("#acts p")).to_have_text("50 seats chosen: 48 available, 2 sold.")


def test_reached_by_keyboard(room: OwnPage) -> None:
    for key, place in {"e": "events-box", "d": "decisions-box", "a": "audit-box"}.items():
        room.page.keyboard.press("g")
        room.page.keyboard.press(key)
        assert room.page.evaluate("document.activeElement.id") == place
    room.page.keyboard.press("/")
    assert room.page.evaluate("document.activeElement.id") == "find"


def test_dark_unless_asked_otherwise(room: OwnPage, gala: str) -> None:
    page = room("html")
    expect(page).to_have_css("color-scheme", "dark")
    room.page.goto(f"{room.origin}/control?event={gala}&theme=light")
    expect(room("#chart canvas")).to_have_count(1)
    expect(page).to_have_css("color-scheme", "light")
    assert room.findings() == []
