"""Purchases in the control room: found, and cancelled whole or in part, whatever others cancel meanwhile."""

import json
import re

from playwright.sync_api import Route, expect

from tests.doors import TOKEN, bearer
from tests.seat_map.own_page import OwnPage
from tests.seat_map.test_receipt import lose
from tests.servers import wait_until
from tests.system import System
from tests.web import JSON


def find(room: OwnPage, text: str) -> None:
    room("#find").fill(text)
    room("#find").press("Enter")
    expect(room("#purchases tbody tr")).to_have_count(1)


def cancel_elsewhere(guarded: System, purchase: str, seat: str) -> None:
    answer = guarded.request("DELETE", f"/api/v1/purchases/{purchase}?seats={seat}", headers=bearer(TOKEN))
    assert answer.status == 200, answer.body


def left_of(guarded: System, event: str) -> int:
    left: int = guarded.get(f"/api/v1/events/{event}").json["seatsRemaining"]
    return left


def test_a_purchase_is_found_and_cancelled(room: OwnPage, guarded: System, gala: str) -> None:
    body = json.dumps({"quantity": 2, "reference": "A-1001"}).encode()
    path = f"/api/v1/events/{gala}/purchases"
    bought = guarded.request("POST", path, body, JSON | {"Idempotency-Key": "a-key-of-a-buyer"}).json
    wait_until(lambda: guarded.get(f"/api/v1/purchases/{bought['purchaseId']}").json["state"] == "persisted")
    room.page.keyboard.press("/")
    for searched in (bought["purchaseId"], "A-1001", bought["seats"][0]):
        room("#find").fill(searched)
        room("#find").press("Enter")
        expect(room("#purchases tbody tr")).to_have_count(1)
        expect(room("#purchases tbody th")).to_have_text(bought["purchaseId"])
    expect(room("#seat-history li")).to_contain_text("sold")
    room.page.get_by_role("button", name="Cancel", exact=True).click()
    expect(room("#confirm p")).to_contain_text("Refund €90.00")
    room("#why").fill("ill")
    room.page.get_by_role("button", name="Cancel the purchase").click()
    expect(room("#purchases tbody")).to_contain_text("cancelled")
    assert left_of(guarded, gala) == 100


def test_a_part_of_a_purchase_is_cancelled(room: OwnPage, guarded: System, gala: str) -> None:
    bought = guarded.buy(3, event_id=gala).json
    first, *others = bought["seats"]
    room("#find").fill(bought["purchaseId"])
    room("#find").press("Enter")
    room.page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = room("#confirm")
    expect(dialog.locator("h2")).to_have_text("Cancel 3 seats")
    expect(dialog.locator("p")).to_contain_text("Refund €135.00")
    for seat in bought["seats"]:
        dialog.get_by_label(seat).uncheck()
    expect(dialog.locator("button[type=submit]")).to_be_disabled()
    for seat in others:
        dialog.get_by_label(seat).check()
    expect(dialog.locator("p")).to_contain_text("Refund €90.00")
    room("#why").fill("two are ill")
    room.page.get_by_role("button", name="Cancel 2 seats").click()
    expect(room("#speech")).to_have_text("Cancelled; on sale again. Refund €90.00 through your payment service.")
    expect(room("#purchases s")).to_have_text(others)
    assert guarded.get(f"/api/v1/purchases/{bought['purchaseId']}").json["cancelledSeats"] == others
    room.page.get_by_role("button", name="Cancel", exact=True).click()
    expect(dialog.locator("p")).to_have_text(re.compile(f"^{first} goes back on sale immediately.* Refund €45.00"))
    dialog.get_by_role("button", name="Leave it").click()


def test_a_part_of_a_purchase_without_seats_is_cancelled(room: OwnPage, guarded: System) -> None:
    body = {"name": "Floor", "currency": "EUR", "categories": {"Floor": {"totalSeats": 9, "price": 1000}}}
    event = guarded.request("POST", "/api/v1/events", json.dumps(body).encode(), JSON | bearer(TOKEN)).json["id"]
    bought = guarded.buy(4, event_id=event).json["purchaseId"]
    for wanted, left in (("1", 3), ("2", 1)):
        room("#find").fill(bought)
        room("#find").press("Enter")
        room.page.get_by_role("button", name="Cancel", exact=True).click()
        room("#confirm select").select_option(wanted)
        expect(room("#confirm p")).to_contain_text(f"Refund €{wanted}0.00")
        room("#why").fill("ill")
        room("#confirm button[type=submit]").click()
        expect(room("#purchases tbody")).to_contain_text(f"{4 - left} cancelled")
        assert left_of(guarded, event) == 9 - left


def test_what_does_not_go_on_sale_is_not_said_to(room: OwnPage, guarded: System, gala: str) -> None:
    """Of two purchases of a paused event, one is lost, so it has no seat that could be given back."""
    stands, lost = (guarded.buy(event_id=gala).json["purchaseId"] for _ in range(2))
    paths = [f"/api/v1/purchases/{each}" for each in (stands, lost)]
    wait_until(lambda: [guarded.get(path).json["state"] for path in paths] == ["persisted"] * 2)
    lose(guarded, lost)
    pause = guarded.request("PATCH", f"/api/v1/events/{gala}", b'{"state": "paused"}', JSON | bearer(TOKEN))
    assert pause.status == 200, pause.body
    for each, goes, went in (
        (stands, "goes back to the event, which does not sell now; the buyer loses it.", "Cancelled; given back."),
        (lost, "goes back unless sold to another buyer; the buyer loses it.", "Cancelled."),
    ):
        find(room, each)
        expect(room("#purchases tbody th")).to_have_text(each)
        room.page.get_by_role("button", name="Cancel", exact=True).click()
        expect(room("#confirm p")).to_contain_text(goes)
        room("#why").fill("ill")
        room("#confirm button[type=submit]").click()
        expect(room("#speech")).to_have_text(f"{went} Refund €45.00 through your payment service.")


def test_a_refund_is_of_what_was_cancelled_here(room: OwnPage, guarded: System, gala: str) -> None:
    """Another operator cancels a seat after the row was drawn."""
    bought = guarded.buy(2, event_id=gala).json
    find(room, bought["purchaseId"])
    cancel_elsewhere(guarded, bought["purchaseId"], bought["seats"][0])
    room.page.get_by_role("button", name="Cancel", exact=True).click()
    expect(room("#confirm p")).to_have_text(re.compile(f"^{bought['seats'][1]} goes .* Refund €45.00"))
    room("#why").fill("ill")
    room("#confirm button[type=submit]").click()
    expect(room("#speech")).to_have_text("Cancelled; on sale again. Refund €45.00 through your payment service.")


def test_nothing_is_cancelled_that_changed_while_it_was_asked(room: OwnPage, guarded: System, gala: str) -> None:
    bought = guarded.buy(2, event_id=gala).json
    first, second = bought["seats"]
    find(room, bought["purchaseId"])
    room.page.get_by_role("button", name="Cancel", exact=True).click()
    room("#confirm").get_by_label(first).uncheck()
    cancel_elsewhere(guarded, bought["purchaseId"], first)
    room("#why").fill("ill")
    room("#confirm button[type=submit]").click()
    expect(room("#speech")).to_contain_text("Another operator has just cancelled part of this purchase")
    expect(room("#purchases s")).to_have_text([first])
    assert guarded.get(f"/api/v1/purchases/{bought['purchaseId']}").json["cancelledSeats"] == [first]
    cancel_elsewhere(guarded, bought["purchaseId"], second)
    expect(room("#purchases s")).to_have_text([first, second])


def test_a_search_that_is_overtaken_shows_nothing(room: OwnPage, guarded: System, gala: str) -> None:
    """Its answer comes last, and its rows have buttons that cancel."""
    first, second = (guarded.buy(1, event_id=gala).json["purchaseId"] for _ in range(2))
    late: list[Route] = []
    room.page.route(f"**/api/v1/purchases/{first}", lambda route: late.append(route))
    room("#find").fill(first)
    with room.page.expect_request(f"**/api/v1/purchases/{first}"):
        room("#find").press("Enter")
    find(room, second)
    expect(room("#purchases tbody th")).to_have_text(second)
    with room.page.expect_response(f"**/api/v1/purchases/{first}") as answered:
        late[0].continue_()
    answered.value.finished()
    room.wait_shown()
    expect(room("#purchases tbody th")).to_have_text(second)
