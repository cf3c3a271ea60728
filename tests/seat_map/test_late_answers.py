"""Answers that come late, or never: the map shows what is newest, and holds what it shows."""

import json
from typing import Final

from playwright.sync_api import Page

from tests.seat_map.browser import MAP, change_event
from tests.seat_map.conftest import OpenMap
from tests.servers import wait_until
from tests.system import System

HOLD_BACK: Final = """() => {
window.late = []
window.fetch = ((send) => async (address, ...rest) => {
  const answer = await send(address, ...rest)
  if (!address.endsWith(%s)) return answer
  const body = await answer.text()
  await new Promise((go) => late.push(go))
  return new Response(body || null, answer)
})(fetch)
}"""


def hold_back(page: Page, end: str) -> None:
    """Keep answers from addresses with this end until `late[n]()` is called."""
    page.evaluate(HOLD_BACK % json.dumps(end))


class TestState:
    """The newest stays, whatever was asked before it came."""

    def test_a_load_that_was_replaced(self, open_map: OpenMap, hall: str, seller: System) -> None:
        page = open_map(hall)
        hold_back(page.page, f"/events/{hall}")
        page.call("map.refresh()")
        page.wait_for("late.length === 1")
        change_event(seller, hall, state="paused")
        page.call("map.refresh()")
        page.wait_for("late.length === 2")
        page.call("late[1]()")
        page.wait_live().wait_for(f"{MAP}.eventDetails.state === 'paused'")
        page.call("late[0]()")
        page.rest()
        assert page.call("map.eventDetails.state") == "paused"
        page.close()

    def test_counts_of_areas(self, open_map: OpenMap, seller: System) -> None:
        areas = {"Floor": {"totalSeats": 40}, "Lounge": {"totalSeats": 10}}
        event = seller.create_event(categories=areas)
        page = open_map(event)
        hold_back(page.page, f"/events/{event}")
        page.call("map.best(3, 'Floor')")
        page.wait_for("late.length === 1")
        change_event(seller, event, state="paused")
        page.wait_for(f"{MAP}.eventDetails.state === 'paused'")
        page.call("late[0]()")
        wait_until(lambda: "37 left" in page.page.locator("seating-map .areas li").first.inner_text())
        assert page.call("map.eventDetails.state") == "paused"
        page.close()
