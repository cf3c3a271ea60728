"""Events in the control room: chosen from the list or by address, paused, resumed and closed."""

import json
from typing import Final

from playwright.sync_api import Browser, Route, expect

from tests.doors import TOKEN, bearer
from tests.seat_map.conftest import REFUSED
from tests.seat_map.own_page import OwnPage
from tests.servers import wait_until
from tests.system import System
from tests.web import JSON

SAID: Final = """() => {
  window.said = []
  const speech = document.getElementById('speech')
  new MutationObserver(() => said.push(speech.textContent)).observe(speech, { childList: true })
}"""


def test_more_events_than_a_page_has(room: OwnPage, guarded: System, gala: str) -> None:
    """In pages of two."""
    for _ in range(2):
        guarded.request("POST", "/api/v1/events", b'{"name": "Talk", "totalSeats": 1}', JSON | bearer(TOKEN))
    room.page.route(
        "**/api/v1/events?limit=50*",
        lambda route: route.continue_(url=route.request.url.replace("limit=50", "limit=2")),
    )
    expect(room("#events tbody tr")).to_have_count(2)
    expect(room("#events-page")).to_have_text("Page 1")
    first = room("#events tbody").inner_text()
    room("#events-next").click()
    expect(room("#events-page")).to_have_text("Page 2")
    expect(room("#events tbody")).not_to_have_text(first)
    assert room("#event").input_value() == gala
    expect(room("#left")).to_have_text("100")
    room("#events-before").click()
    expect(room("#events-page")).to_have_text("Page 1")
    room("#events-state").select_option("closed")
    expect(room("#events tbody tr")).to_have_count(0)


def test_the_chosen_event_has_its_income_among_many(room: OwnPage, guarded: System, gala: str) -> None:
    """It is the last of eleven on sale."""
    assert guarded.buy(4, event_id=gala).status == 200
    free = json.dumps({"name": "Talk", "totalSeats": 1}).encode()
    made = [guarded.request("POST", "/api/v1/events", free, JSON | bearer(TOKEN)).json["id"] for _ in range(10)]
    shown = [guarded.get(f"/api/v1/events/{each}").json for each in (*made, gala)]
    room.page.route("**/api/v1/events?limit=50*", lambda route: route.fulfill(json={"events": shown, "next": None}))
    expect(room("#events tbody tr")).to_have_count(11)
    expect(room("#events tr.chosen td.number").last).to_have_text("€180.00", timeout=30_000)


def test_a_sale_is_paused_by_its_name_and_resumed(room: OwnPage, guarded: System, gala: str) -> None:
    room.page.get_by_role("button", name="Pause", exact=True).click()
    pause = room("#confirm").get_by_role("button", name="Pause", exact=True)
    expect(pause).to_be_disabled()
    room("#typed").fill("Gala")
    pause.click()
    wait_until(lambda: guarded.get(f"/api/v1/events/{gala}").json["state"] == "paused")
    room.page.get_by_role("button", name="Resume", exact=True).click()
    room("#confirm").get_by_role("button", name="Resume", exact=True).click()
    wait_until(lambda: guarded.get(f"/api/v1/events/{gala}").json["state"] == "on_sale")


def test_a_name_is_typed_as_it_is_seen(room: OwnPage, guarded: System) -> None:
    """It has a combining accent, a space that does not break, and some that no page shows."""
    body = json.dumps({"name": "Cafe\u0301\u00a0 Gala ", "totalSeats": 1}).encode()
    cafe = guarded.request("POST", "/api/v1/events", body, JSON | bearer(TOKEN)).json["id"]
    room.page.goto(f"{room.origin}/control?event={cafe}")
    expect(room("#event")).to_have_value(cafe)
    room.page.get_by_role("button", name="Pause", exact=True).click()
    pause = room("#confirm").get_by_role("button", name="Pause", exact=True)
    room("#typed").fill("Café Gal")
    expect(pause).to_be_disabled()
    room("#typed").fill("Café Gala")
    pause.click()
    wait_until(lambda: guarded.get(f"/api/v1/events/{cafe}").json["state"] == "paused")


def test_a_sale_is_paused_while_events_cannot_be_listed(browser: Browser, guarded: System, gala: str) -> None:
    """SQL is down; one event is known all the same. That no list comes does not pass for a refusal of the act."""
    room = OwnPage(browser, guarded.port, f"/control?event={gala}")
    down = {"code": "RECORD_UNAVAILABLE", "message": "The record is down"}
    room.page.route("**/api/v1/events?*", lambda route: route.fulfill(status=503, json=down))
    room("#key").fill(TOKEN)
    room("#key").press("Enter")
    expect(room("#state-title")).to_have_text("The sale of Gala")
    expect(room("#speech")).to_have_text("The record is down")
    room.page.evaluate(SAID)
    room.page.get_by_role("button", name="Pause", exact=True).click()
    room("#typed").fill("Gala")
    room("#confirm").get_by_role("button", name="Pause", exact=True).click()
    wait_until(lambda: "Gala is paused." in room.page.evaluate("said"), 60, "the page to say it")
    expect(room("#sale")).to_have_text("paused")
    room.close(REFUSED, "status of 503")


def test_an_event_that_comes_late_is_not_closed_for_another(browser: Browser, guarded: System, gala: str) -> None:
    """The address names an event that is not in the list; the operator has chosen another before it is there."""
    body = b'{"name": "Talk", "totalSeats": 1}'
    talk = guarded.request("POST", "/api/v1/events", body, JSON | bearer(TOKEN)).json["id"]
    room = OwnPage(browser, guarded.port, f"/control?event={talk}")
    late: list[Route] = []
    room.page.route(f"**/api/v1/events/{talk}", lambda route: late.append(route))

    def only_gala(route: Route) -> None:
        answer = route.fetch()
        events = [event for event in answer.json()["events"] if event["id"] == gala]
        route.fulfill(response=answer, json={**answer.json(), "events": events})

    room.page.route("**/api/v1/events?limit=50*", only_gala)
    room("#key").fill(TOKEN)
    with room.page.expect_request(f"**/api/v1/events/{talk}"):
        room("#key").press("Enter")
    room("#events").get_by_role("button", name="Gala").click()
    expect(room("#state-title")).to_have_text("The sale of Gala")
    room.page.get_by_role("button", name="Close for good").click()
    room("#typed").fill("Gala")
    with room.page.expect_response(f"**/api/v1/events/{talk}"):
        late[0].continue_()
    room("#confirm").get_by_role("button", name="Close").click()
    expect(room("#speech")).to_have_text("Gala is closed.")
    states = {event: guarded.get(f"/api/v1/events/{event}").json["state"] for event in (gala, talk)}
    assert states == {gala: "closed", talk: "on_sale"}
    expect(room("#event")).to_have_value(gala)
    room.close(REFUSED)
