"""Answers that come late, or never: the map shows what is newest, and holds what it shows."""

import json
import re
import socket
from typing import Final

from playwright.sync_api import Page, Route, expect

from tests.seat_map.browser import MAP, MapPage, change_event, seats_sold
from tests.seat_map.conftest import OpenMap, OpenPage
from tests.seat_map.own_page import OwnPage
from tests.seat_map.theatre import OFFER, theatre
from tests.servers import wait_until
from tests.system import System
from tests.web import JSON

GONE: Final = "net::ERR"
CONFLICT: Final = "status of 409"
BUSY: Final = "status of 503"
SOON: Final = {"map/choice.js": {"RETRY_MS": 100}}
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


def refuse_as_busy(route: Route) -> None:
    route.fulfill(status=503, json={"code": "INVENTORY_UNAVAILABLE", "message": "…"})


def first_moments(page: MapPage, event: str, act: str) -> None:
    """Embed a second map, do `act` with it at once, and keep its plan back until the first `late`."""
    hold_back(page.page, "/plan")
    page.call(f"""(() => {{
      window.second = document.createElement('seating-map')
      second.setAttribute('event', '{event}')
      second.setAttribute('server', map.getAttribute('server'))
      document.querySelector('main').append(second)
      const act = {act}
      window.result = undefined
      Promise.resolve(act(second)).then((result) => {{ window.result = result }})
    }})()""")


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


class TestBeforeThePlan:
    """What is asked before the map knows its seats waits for them."""

    def test_a_hold_that_is_resumed(self, open_map: OpenMap, hall: str, seller: System) -> None:
        seats = ["sec-1-row-B-seat-3", "sec-1-row-B-seat-4"]
        body = json.dumps({"seats": seats}).encode()
        token = seller.request("POST", f"/api/v1/events/{hall}/holds", body, JSON).json["holdToken"]
        page = open_map(hall)
        first_moments(page, hall, f"(map) => map.resume('{token}')")
        page.wait_for("late.length")
        page.rest()
        page.call("late[0]()")
        page.wait_for("result")
        assert [seat["id"] for seat in page.page.evaluate("result.seats")] == seats
        assert [seat["id"] for seat in page.page.evaluate("second.held.seats")] == seats
        page.close()

    def test_seats_that_cannot_be_chosen(self, open_map: OpenMap, hall: str) -> None:
        page = open_map(hall)
        assert page.call("map.select(['nope'])") is False
        assert page.call("map.select(['sec-1-row-B-seat-5', 'nope'])") is False
        assert page.seats() == ["sec-1-row-B-seat-5"]
        first_moments(page, hall, "(map) => map.select(['sec-1-row-B-seat-3'])")
        page.wait_for("result === false")
        page.wait_for("late.length")
        assert page.page.evaluate("second.select(['sec-1-row-B-seat-3'])") is False
        page.close()

    def test_the_best_on_the_buyers_page(self, open_page: OpenPage, seller: System) -> None:
        page = open_page(seller.create_event(seatingPlan=theatre(), **OFFER)).wait_live()
        page.page.add_init_script(f"({HOLD_BACK % json.dumps('/plan')})()")
        page.page.reload()
        page.wait_phase("choose").page.wait_for_function("() => late.length")
        expect(page("#find")).to_have_attribute("aria-disabled", "true")
        page.page.evaluate(f"() => {{ {MAP}.best(2) }}")
        page.page.evaluate("() => late[0]()")
        page.wait_phase("held")
        expect(page("#seats li")).to_have_count(2)
        expect(page("#total")).to_have_text(re.compile("^€"))
        page.page.evaluate(f"{MAP}.release()")
        expect(page("#find")).not_to_have_attribute("aria-disabled", "true")
        page.close()


class TestFeed:
    def test_is_not_live_once_it_has_stopped(self, open_map: OpenMap, hall: str) -> None:
        page = open_map(hall)
        page.call("map.feed.stop()")
        assert page.call("map.feed.connection") == "catchingup"
        page.close()

    def test_gives_up_a_handshake_without_an_answer(self, open_map: OpenMap, hall: str) -> None:
        """A listener that accepts and says nothing."""
        page = open_map(hall)
        page.page.clock.install()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = json.dumps(f"ws://127.0.0.1:{silent.getsockname()[1]}")
            page.page.evaluate(f"""() => {{
              window.attempts = 0
              window.WebSocket = class extends WebSocket {{
                constructor() {{
                  super({address})
                  attempts++
                }}
              }}
            }}""")
            page.call("map.refresh()")
            page.wait_for("attempts === 1")
            page.page.clock.fast_forward(31_000)
            page.wait_for("attempts === 2")
        page.close(["WebSocket"])


def duplicated(page: OwnPage, hall: str) -> Page:
    """Another tab with the same hold."""
    name = f"seating:{hall}:hold"
    token = page.stored("sessionStorage")[name]
    tab = page.context.new_page()
    tab.goto(page.page.url)
    tab.evaluate(f"sessionStorage.setItem({json.dumps(name)}, {json.dumps(token)})")
    tab.reload()
    tab.wait_for_selector("body[data-phase=held]")
    return tab


class TestHold:
    """What is shown as held is what is held."""

    def test_an_event_that_is_changed_meanwhile(self, open_map: OpenMap, hall: str, seller: System) -> None:
        """The hold is given back: nobody knows of it."""
        other = seller.create_event(seatingPlan={"generate": {"sections": 1, "rows": 1, "seatsPerRow": 4}})
        page = open_map(hall)
        hold_back(page.page, "/holds")
        page.call("void map.best(2).then((held) => { window.held = held })")
        page.wait_for("late.length")
        page.call(f"map.setAttribute('event', '{other}')")
        page.call("late[0]()")
        page.wait_for("window.held === null")
        assert page.told("holdchange") == []
        assert page.told("selectionchange") == []
        assert seller.get(f"/api/v1/events/{hall}").json["seatsRemaining"] == 40
        page.close()

    def test_whose_answer_is_that_the_server_is_busy(self, open_map: OpenMap, hall: str, seller: System) -> None:
        """It holds the seats, or another has them: they stay chosen until the same request has another answer."""
        page = open_map(hall, waits=SOON)
        own, others = ([f"sec-1-row-{row}-seat-{number}" for number in (3, 4)] for row in "BC")
        asked: list[str] = []

        def lose(route: Route) -> None:
            if not asked:
                route.fetch()
            asked.append(route.request.headers["idempotency-key"])
            refuse_as_busy(route)

        page.page.route("**/holds", lose)
        page.call(f"map.select({own})")
        assert page.call("map.holdSelection()") is None
        wait_until(lambda: page.shows(own[0], "held"))
        assert (page.seats(), page.told("soldelsewhere")) == (own, [])
        page.page.unroute("**/holds")
        assert [seat["id"] for seat in page.call("map.holdSelection()")["seats"]] == own
        page.call("map.release()")
        page.page.route("**/holds", refuse_as_busy)
        page.call(f"map.select({others})")
        assert page.call("map.holdSelection()") is None
        change_event(seller, f"{hall}/seats", status="reserved", seats=others[:1])
        wait_until(lambda: page.shows(others[0], "reserved"))
        assert page.told("soldelsewhere") == []
        page.page.unroute("**/holds")
        assert page.call("map.holdSelection()") is None
        assert [seat["id"] for seat in page.told("soldelsewhere")[-1]["seats"]] == others[:1]
        assert page.seats() == others[1:]
        page.close([BUSY, CONFLICT])

    def test_of_the_best_that_ended_unseen(self, open_map: OpenMap, hall: str, seller: System) -> None:
        """Its key is spent: the best are asked for with another. What is held meanwhile stays until then."""
        page = open_map(hall, waits=SOON)
        page.call("map.select(['sec-1-row-B-seat-3'])")
        held = page.call("map.holdSelection()")
        unseen: list[str] = []

        def lose(route: Route) -> None:
            if not unseen:
                unseen.append(route.fetch().json()["holdToken"])
            refuse_as_busy(route)

        page.page.route("**/holds", lose)
        assert page.call("map.best(2)") is None
        assert page.call("map.held.holdToken") == held["holdToken"]
        page.page.unroute("**/holds")
        assert seller.request("DELETE", f"/api/v1/events/{hall}/holds/{unseen[0]}").status == 204
        best = page.call("map.best(2)")
        assert len(best["seats"]) == 2
        assert best["holdToken"] not in (held["holdToken"], *unseen)
        assert page.told("holdexpired") == []
        page.close([BUSY, CONFLICT])

    def test_a_change_whose_answer_is_lost(self, open_page: OpenPage, hall: str, seller: System) -> None:
        """The server did it, so the third seat is held: the page says so, and buys what it shows."""
        page = open_page(hall)
        page.page.clock.install()
        page.page.reload()
        page.hold_best()
        page.page.evaluate(f"{MAP}.select(['sec-1-row-D-seat-1'])")

        def lose(route: Route) -> None:
            if route.request.method == "PATCH":
                route.fetch()
                route.abort()
            else:
                route.continue_()

        page.page.route("**/holds/*", lose)
        page("#main").click()
        token = page.stored("sessionStorage")[f"seating:{hall}:hold"]
        path = f"/api/v1/events/{hall}/holds/{token}"
        wait_until(lambda: page("#main").is_visible() and len(seller.get(path).json["seats"]) == 3)
        page.page.clock.fast_forward("01:01")
        expect(page("#main")).to_have_text("Buy now")
        expect(page("#seats li")).to_have_count(3)
        page.page.unroute("**/holds/*")
        page("#seats button").last.click()
        expect(page("#main")).to_have_text("Change to 2 seats")
        page("#main").click()
        expect(page("#main")).to_have_text("Buy now")
        page("#main").click()
        page.wait_phase("receipt")
        expect(page("#receipt li")).to_have_count(2)
        assert seats_sold(seller, hall) == 2
        page.close(GONE)

    def test_a_change_by_the_shop_whose_answer_is_lost(self, open_map: OpenMap, hall: str) -> None:
        page = open_map(hall)
        seats = ["sec-1-row-B-seat-3", "sec-1-row-B-seat-4"]
        page.call("""map.hold = async (seats, { action, holdToken }) => {
          const isNew = action === 'take'
          const [method, body] = isNew ? ['POST', { seats }] : ['PATCH', { add: seats.slice(1) }]
          const headers = { 'Content-Type': 'application/json' }
          const address = [map.feed.api, 'holds', holdToken].filter(Boolean).join('/')
          const answer = await fetch(address, { method, headers, body: JSON.stringify(body) })
          if (!isNew) throw new Error('lost')
          return answer.json()
        }""")
        page.call(f"map.select({seats[:1]})")
        assert page.call("map.holdSelection()")["expiresInMs"] > 0
        page.call(f"map.select({seats[1:]})")
        assert page.call("map.holdSelection()") is None
        assert page.told("error") == [{"code": "UNAVAILABLE", "message": "lost"}]
        assert [seat["id"] for seat in page.call("map.held.seats")] == seats
        assert page.seats() == seats
        page.close()

    def test_a_change_in_another_tab(self, open_page: OpenPage, hall: str, seller: System) -> None:
        """A duplicated tab shares the hold. It buys nothing that it has not shown."""
        page = open_page(hall).hold_best()
        other = duplicated(page, hall)
        page("#seats button").first.click()
        page("#main").click()
        expect(page("#main")).to_have_text("Buy now")
        other.click("#main")
        expect(other.locator("#notice-text")).to_contain_text("Your hold has changed")
        assert seats_sold(seller, hall) == 0
        expect(other.locator("#seats li")).to_have_count(1)
        other.click("#main")
        other.wait_for_selector("body[data-phase=receipt]")
        assert seats_sold(seller, hall) == 1
        page.close()

    def test_that_another_tab_has_bought(self, open_page: OpenPage, hall: str, seller: System) -> None:
        """Of three tabs with one hold one buys, without an answer; another asks; the hold runs out in the last."""
        page = open_page(hall)
        page.page.clock.install()
        page.page.reload()
        page.hold_best()
        asking, waiting = duplicated(page, hall), duplicated(page, hall)
        page.buy_without_answer()
        wait_until(lambda: seats_sold(seller, hall) == 2)
        asking.click("#main")
        asking.wait_for_selector("body[data-phase=receipt]")
        receipt = asking.inner_text("#receipt code")
        page.page.unroute_all(behavior="ignoreErrors")
        expect(page("#receipt code")).to_have_text(receipt)
        waiting.clock.fast_forward("10:30")
        expect(waiting.locator("#receipt code")).to_have_text(receipt)
        expect(waiting.locator("seating-map .say")).to_have_text("Your hold has ended")
        assert seats_sold(seller, hall) == 2
        page.close(GONE)
