"""The map by keyboard, as a screen reader reads it, by touch, in German, in the dark: without a finding of axe."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import expect

from tests.seat_map.browser import MapPage
from tests.seat_map.conftest import OpenMap
from tests.seat_map.theatre import OFFER, theatre
from tests.servers import wait_until
from tests.system import System

AXE: Final = (Path(__file__).parent / "axe-core-4.14.1" / "axe.min.js").read_text()
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "device_scale_factor": 2}


@pytest.fixture(scope="module")
def evening(seller: System) -> str:
    return seller.create_event(seatingPlan=theatre(), **OFFER)


@pytest.fixture
def page(open_map: OpenMap, evening: str) -> Iterator[MapPage]:
    opened = open_map(evening)
    yield opened
    opened.close()


def findings(page: MapPage) -> list[tuple[str, str]]:
    """What axe finds on the page, by rule and element."""
    page.page.evaluate(AXE)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.page.evaluate(f"axe.run({{ runOnly: {json.dumps(tags)} }})")
    return [(rule["id"], node["html"]) for rule in found["violations"] for node in rule["nodes"]]


def active(page: MapPage) -> dict[str, str]:
    """The focused element's text and ARIA attributes."""
    found: dict[str, str] = page.page.evaluate("""() => {
      let at = document.activeElement
      while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
      const attributes = [...at.attributes].map(({ name, value }) => [name, value])
      return { text: at.textContent, ...Object.fromEntries(attributes) }
    }""")
    return found


def press(page: MapPage, *keys: str) -> dict[str, str]:
    for key in keys:
        page.page.keyboard.press(key)
    return active(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_map: OpenMap, evening: str, theme: str) -> None:
    page = open_map(evening, f'theme="{theme}"')
    assert findings(page) == []
    page.call("map.select(['Stalls-H-12'])")
    page.page.get_by_role("button", name="Seats as a list").click()
    press(page, "ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown")
    assert findings(page) == []
    page.close()


def test_a_tree_of_sections_rows_and_seats(page: MapPage) -> None:
    tree = page.page.get_by_role("tree", name="Seats as a list")
    sections = tree.get_by_role("treeitem")
    assert sections.count() == 12
    assert sections.first.inner_text() == "Stalls, 456 left, from €45"
    page.page.keyboard.press("Tab")
    first = active(page)
    assert (first["role"], first["aria-level"], first["aria-expanded"], first["aria-setsize"]) == (
        "treeitem",
        "1",
        "false",
        "12",
    )
    row = press(page, "ArrowRight", "ArrowRight")
    assert (row["text"], row["aria-level"], row["aria-posinset"]) == ("Row A, 24 left, from €129", "2", "1")
    seat = press(page, "ArrowRight", "ArrowRight")
    assert seat["text"] == "Seat 1, Premium, €129.00, Available"
    assert (seat["aria-level"], seat["aria-posinset"], seat["aria-setsize"], seat["aria-selected"]) == (
        "3",
        "1",
        "24",
        "false",
    )


def test_the_keyboard_alone_chooses(page: MapPage) -> None:
    page.page.keyboard.press("Tab")
    press(page, "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight")
    chosen = press(page, "ArrowDown", "Enter")
    assert chosen["aria-selected"] == "true"
    assert chosen["text"] == "Seat 2, Premium, €129.00, Yours"
    assert page.seats() == ["Stalls-A-2"]
    assert page.spoken() == "Stalls, Row A, Seat 2 chosen. 1 seat, €129.00"
    assert press(page, "End")["text"].startswith("Balcony") is True
    assert press(page, "Home")["text"].startswith("Stalls") is True
    assert press(page, "b")["text"].startswith("Row B, ") is True


def test_the_seat_behind(page: MapPage) -> None:
    page.call("map.focusSeat('Stalls-A-12')")
    assert press(page, "PageDown")["text"].startswith("Seat 12, Premium") is True
    assert press(page, "PageDown", "Enter")["aria-selected"] == "true"
    assert page.seats() == ["Stalls-C-13"] or page.seats() == ["Stalls-C-12"]


def test_the_focus_is_seen_on_the_canvas(page: MapPage) -> None:
    """A ring is drawn around the seat, and the card says which it is."""
    page.call("map.focusSeat('Stalls-K-12')")
    page.rest()
    assert page.page.locator("seating-map .card").inner_text() == "Stalls, Row K, Seat 12\nRear stalls · €59.00"
    with_ring = page.page.screenshot()
    page.page.evaluate("document.activeElement.blur()")
    page.rest()
    assert page.page.screenshot() != with_ring


def test_fifty_thousand_seats_stay_few_elements(open_map: OpenMap, seller: System) -> None:
    event = seller.create_event(seatingPlan={"generate": {"sections": 50, "rows": 20, "seatsPerRow": 50}})
    page = open_map(event)
    page.page.keyboard.press("Tab")
    press(page, *["ArrowRight"] * 4)
    items = page.page.locator("seating-map [role=treeitem]")
    assert items.count() <= 81
    assert press(page, *["ArrowDown"] * 49)["aria-posinset"] == "50"
    assert items.count() <= 81
    page.close()


def test_touch(open_map: OpenMap, evening: str) -> None:
    """A tap, a drag and a pinch on a phone."""
    page = open_map(evening, **PHONE)
    page.click_seat("Stalls-K-10", page.page.touchscreen.tap)
    wait_until(lambda: page.seats() == ["Stalls-K-10"])
    session = page.page.context.new_cdp_session(page.page)

    def touch(kind: str, *points: tuple[int, int]) -> None:
        sent = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": sent})

    before = page.page.screenshot()
    touch("touchStart", (150, 400), (250, 400))
    for step in range(1, 8):
        touch("touchMove", (150 + 6 * step, 400), (250 - 6 * step, 400))
    touch("touchEnd")
    page.rest()
    assert page.page.screenshot() != before
    assert page.seats() == ["Stalls-K-10"]
    page.close()


def test_the_wheel_zooms(page: MapPage) -> None:
    near = page.page.locator("seating-map .seats.near")
    page.page.mouse.move(640, 400)
    for pixels, zoomed in ((-400, 1), (4000, 0)):
        page.page.mouse.wheel(0, pixels)
        expect(near).to_have_count(zoomed)


def test_german(open_map: OpenMap, evening: str) -> None:
    page = open_map(evening, 'lang="de"')
    page.call("map.select(['Stalls-H-14'])")
    assert page.spoken() == "Stalls, Reihe H, Platz 14 gewählt. 1 Platz, 89,00\xa0€"
    assert page.page.get_by_role("tree", name="Plätze als Liste").get_by_role("treeitem").first.inner_text() == (
        "Stalls, 456 frei, ab 45\xa0€"
    )
    page.close()


def test_right_to_left(open_map: OpenMap, evening: str) -> None:
    """The keys that fold follow the direction of the text."""
    page = open_map(evening, 'dir="rtl"')
    page.page.keyboard.press("Tab")
    assert press(page, "ArrowLeft")["aria-expanded"] == "true"
    assert press(page, "ArrowRight")["aria-expanded"] == "false"
    page.close()


def test_nothing_moves_for_who_asks_for_that(open_map: OpenMap, evening: str) -> None:
    page = open_map(evening, reduced_motion="reduce")
    page.call("map.zoomTo('Box 3')")
    scale = "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => go(1))))"
    page.call(scale)
    settled = page.page.screenshot()
    page.rest()
    assert page.page.screenshot() == settled
    page.close()
