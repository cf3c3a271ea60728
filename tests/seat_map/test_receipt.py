"""The receipt on the buyer's page: on paper, in the calendar, and after the organiser has cancelled some of it."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Route, expect
from sqlalchemy import Connection, delete

from seating.domain.purchase import PurchaseId
from seating.storage import ledger, quarantine
from seating.storage.database import Database
from seating.storage.quarantine import QuarantinedEntry
from seating.storage.tables import purchases, sold_seats
from tests.seat_map.conftest import OpenPage
from tests.seat_map.own_page import OwnPage
from tests.seat_map.theatre import OFFER, theatre
from tests.servers import wait_until
from tests.system import System


def cancel(seller: System, page: OwnPage, part: str) -> None:
    """Cancel a part of what the receipt is of, once it is recorded."""
    bought = f"/api/v1/purchases/{page('#receipt code').inner_text()}"
    wait_until(lambda: seller.get(bought).json["state"] == "persisted")
    assert seller.request("DELETE", f"{bought}?{part}").status == 200


def lose(seller: System, bought: str) -> None:
    """Leave of a recorded purchase what a loss leaves: the receipt of its buyer."""
    event_id, position, _ = PurchaseId.parse(bought)

    def change(connection: Connection) -> None:
        (entry,) = ledger.after(connection, event_id, position.seq - 1, 1)
        connection.execute(delete(sold_seats).where(sold_seats.c.purchase_id == bought))
        connection.execute(delete(purchases).where(purchases.c.id == bought))
        quarantine.put_aside(connection, [QuarantinedEntry(event_id, entry, quarantine.LOST, "a test", None)])

    database = Database(seller.database_url)
    database.write(change)
    database.close()


def test_a_calendar_file_and_a_receipt_on_paper(open_page: OpenPage, seller: System) -> None:
    soon = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    evening = seller.create_event(seatingPlan=theatre(), startsAt=soon, venue="Old Theatre; Market Square, 1", **OFFER)
    page = open_page(evening).hold_best()
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
    cancelled, _ = seller.get(bought).json["seats"]
    cancel(seller, page, f"seats={cancelled}")
    page.page.reload()
    expect(page("#receipt .cancelled")).to_contain_text(f"seat {cancelled.split('-')[-1]}")
    price = page("#receipt li:not(.cancelled) .number").inner_text()
    assert page("#receipt li").count() == 2
    expect(page("#receipt dd.number")).to_have_text(price)
    page.page.emulate_media(media="print")
    assert not page("seating-map").is_visible()
    assert page("#receipt li").first.is_visible()
    page.close()


def test_places_that_are_cancelled_are_struck_out(open_page: OpenPage, seller: System) -> None:
    """The first go, whatever they cost."""
    offer = {"Standing": {"totalSeats": 20, "price": 4900}}
    page = open_page(seller.create_event(currency="EUR", categories=offer)).wait_live().wait_phase("choose")
    page("#more").click()
    page("#main").click()
    page.wait_phase("held")
    expect(page("#total")).to_have_text("€147.00")
    page("#main").click()
    page.wait_phase("receipt")
    cancel(seller, page, "quantity=2")
    page.page.reload()
    expect(page("#receipt .cancelled")).to_have_count(2)
    expect(page("#receipt li:not(.cancelled)")).to_have_count(1)
    expect(page("#receipt dd.number")).to_have_text("€49.00")
    page.close()


def test_an_earlier_receipt_strikes_nothing_out_of_a_later_one(open_page: OpenPage, hall: str, seller: System) -> None:
    page = open_page(hall)
    late: list[Route] = []
    page.page.route("**/api/v1/purchases/*", lambda route: route.continue_() if late else late.append(route))
    page.hold_best()("#main").click()
    with page.page.expect_request("**/api/v1/purchases/*") as asked:
        page.wait_phase("receipt")
    cancel(seller, page, f"seats={seller.get(asked.value.url.removeprefix(page.origin)).json['seats'][0]}")
    page.page.get_by_role("button", name="Buy more").click()
    page.hold_best()("#main").click()
    page.wait_phase("receipt")
    with page.page.expect_response(asked.value.url) as answered:
        late[0].continue_()
    answered.value.finished()
    page.wait_shown()
    expect(page("#receipt .state")).to_have_attribute("data-state", "persisted")
    assert page("#receipt .cancelled").count() == 0
    page.close()


def test_what_is_under_review_is_not_promised(open_page: OpenPage, hall: str, seller: System) -> None:
    """Its history may be lost, and with it the seats."""
    page = open_page(hall).hold_best()
    page("#main").click()
    page.wait_phase("receipt")
    state = page("#receipt .state")
    expect(state).to_have_attribute("data-state", "persisted")
    lose(seller, page("#receipt code").inner_text())
    for language, told, promise in (("en", "Under review", "yours"), ("de", "In Prüfung", "gehör")):
        page.page.goto(f"{page.origin}/events/{hall}?lang={language}")
        expect(state).to_have_attribute("data-state", "quarantined")
        expect(state).to_contain_text(told)
        assert promise not in page("#receipt").inner_text().lower()
    page.close()
