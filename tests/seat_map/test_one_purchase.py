"""A hold and its purchase on the buyer's page: kept over reloads, bought once however often it is asked for."""

import json
import re
from typing import Any, Final

import pytest
from playwright.sync_api import Route, expect

from tests.seat_map.browser import MAP, change_event, seats_sold
from tests.seat_map.conftest import OpenPage
from tests.servers import wait_until
from tests.system import System

REFUSED: Final = r"status of 4\d\d"
GONE: Final = "net::ERR"


class TestOnePurchase:
    """However often it is asked for."""

    def test_a_double_click(self, open_page: OpenPage, hall: str, seller: System) -> None:
        page = open_page(hall).hold_best()
        page("#main").dblclick()
        page.wait_phase("receipt")
        assert seats_sold(seller, hall) == 2
        page.close()

    def test_a_lost_answer_and_a_reload(self, open_page: OpenPage, hall: str, seller: System) -> None:
        """The server sells, no answer comes, the buyer reloads: the page asks again, with the same key."""
        page = open_page(hall).hold_best()
        keys: list[str] = []

        def lose(route: Route) -> None:
            keys.append(route.request.headers["idempotency-key"])
            route.fetch()
            route.abort()

        page.page.route("**/purchases", lose)
        page("#main").click()
        expect(page("#notice-text")).to_have_text("No answer yet. Asking again; you will not buy twice.")
        wait_until(lambda: seats_sold(seller, hall) == 2)
        page.page.unroute_all(behavior="ignoreErrors")
        with page.page.expect_request("**/purchases") as again:
            page.page.reload()
        page.wait_phase("receipt")
        assert again.value.headers["idempotency-key"] == keys[0]
        assert seats_sold(seller, hall) == 2
        page.close(GONE)

    def test_two_tabs_keep_two_purchases(self, open_page: OpenPage, hall: str, seller: System) -> None:
        """One lost its answer, then the other buys: after a reload each shows its own receipt."""
        page = open_page(hall).hold_best()
        own = page("#seats li").first.inner_text().split("\n")[0]
        other = page.page.context.new_page()
        other.goto(page.page.url)
        other.wait_for_selector("seating-map[connection=live]")
        other.click("#find")
        other.wait_for_selector("body[data-phase=held]")
        page.buy_without_answer()
        wait_until(lambda: seats_sold(seller, hall) == 2)
        other.click("#main")
        other.wait_for_selector("body[data-phase=receipt]")
        page.page.unroute_all(behavior="ignoreErrors")
        page.page.reload()
        page.wait_phase("receipt")
        expect(page("#receipt li").first).to_contain_text(own)
        assert page("#receipt code").inner_text() != other.inner_text("#receipt code")
        assert seats_sold(seller, hall) == 4
        for name in page.stored("localStorage"):
            page.page.evaluate(f"localStorage.setItem({json.dumps(name)}, '{{')")
        page.page.reload()
        page.wait_phase("choose")
        page.close(GONE)

    def test_another_tab_buys_more(self, open_page: OpenPage, hall: str) -> None:
        """It shows the newest receipt, and takes it from no other tab."""
        page = open_page(hall).hold_best()
        page("#main").click()
        page.wait_phase("receipt")
        other, third = page.context.new_page(), page.context.new_page()
        other.goto(page.page.url)
        other.get_by_role("button", name="Buy more").click()
        other.wait_for_selector("body[data-phase=choose]")
        third.goto(page.page.url)
        third.wait_for_selector("body[data-phase=choose]")
        bought = page("#receipt code").inner_text()
        page.page.reload()
        page.wait_phase("receipt")
        assert page("#receipt code").inner_text() == bought
        page.close()

    def test_a_refusal_that_says_nothing_of_the_purchase(self, open_page: OpenPage, hall: str, seller: System) -> None:
        """The first answer is lost; the second is of a server that has not got the whole request."""
        page = open_page(hall).hold_best()
        asked: list[Route] = []

        def answer(route: Route) -> None:
            asked.append(route)
            if len(asked) == 1:
                route.fetch()
                route.abort()
            elif len(asked) == 2:
                route.fulfill(status=408, json={"code": "REQUEST_TIMEOUT", "message": "…"})
            else:
                route.continue_()

        page.page.route("**/purchases", answer)
        page("#main").click()
        page.wait_phase("receipt")
        assert (len(asked), seats_sold(seller, hall)) == (3, 2)
        page.close(GONE, REFUSED)

    def test_a_refusal_of_what_another_tab_saw_sold(self, open_page: OpenPage, hall: str, seller: System) -> None:
        page = open_page(hall).hold_best()
        refusal = {"code": "EVENT_NOT_FOUND", "message": "…"}
        is_refused = False
        page.page.route(
            "**/purchases",
            lambda route: route.fulfill(status=404, json=refusal) if is_refused else (route.fetch(), route.abort()),
        )
        page("#main").click()
        expect(page("#notice-text")).to_contain_text("No answer yet")
        assert seats_sold(seller, hall) == 2
        other = page.context.new_page()
        other.goto(page.page.url)
        other.wait_for_selector("body[data-phase=receipt]")
        is_refused = True
        page.wait_phase("receipt")
        for tab in (page.page, other):
            tab.reload()
            tab.wait_for_selector("body[data-phase=receipt]")
        page.close(GONE, REFUSED)

    def test_a_refused_purchase_leaves_its_hold_in_view(self, open_page: OpenPage, hall: str, seller: System) -> None:
        page = open_page(hall).hold_best()
        page.page.route("**/purchases", lambda route: route.abort())
        page("#main").click()
        expect(page("#notice-text")).to_contain_text("No answer yet")
        change_event(seller, hall, state="paused")
        page.page.unroute("**/purchases")
        page.page.reload()
        page.wait_phase("held")
        assert page("#seats li").count() == 2
        change_event(seller, hall, state="on_sale")
        page("#main").click()
        page.wait_phase("receipt")
        page.close(GONE, REFUSED)

    def test_the_back_button(self, open_page: OpenPage, hall: str, seller: System) -> None:
        page = open_page(hall).hold_best()
        page("#main").click()
        page.wait_phase("receipt")
        receipt = page("#receipt code").inner_text()
        page.page.goto(f"{page.origin}/control")
        page.page.go_back()
        page.wait_phase("receipt")
        assert page("#receipt code").inner_text() == receipt
        page.page.get_by_role("button", name="Buy more").click()
        page.wait_phase("choose")
        assert seats_sold(seller, hall) == 2
        page.close()


class TestNewPrice:
    """The organiser pauses the sale, sets another price and resumes it while a buyer holds two places."""

    HALL: Final = {"seatingPlan": {"generate": {"sections": 1, "rows": 4, "seatsPerRow": 10}}}

    @staticmethod
    def set_price(seller: System, event: str, category: str, price: int) -> None:
        change_event(seller, event, state="paused")
        change_event(seller, event, categories={category: {"price": price}})
        change_event(seller, event, state="on_sale")

    def test_is_shown(self, open_page: OpenPage, seller: System) -> None:
        hall = seller.create_event(**self.HALL, currency="EUR", categories={"Seats": {"price": 2000}})
        page = open_page(hall).hold_best()
        expect(page("#main")).to_have_text("Buy for €40.00")
        self.set_price(seller, hall, "Seats", 3000)
        expect(page("#main")).to_have_text("Buy for €60.00")
        expect(page("#seats .number").first).to_have_text("€30.00")
        page("#main").click()
        page.wait_phase("receipt")
        expect(page("#receipt dd.number")).to_have_text("€60.00")
        page.close()

    @pytest.mark.parametrize(
        ("kind", "category", "button"),
        [
            (HALL | {"categories": {"Seats": {"price": 2000}}}, "Seats", "#find"),
            ({"categories": {"Floor": {"price": 2000, "totalSeats": 20}}}, "Floor", "#main"),
        ],
        ids=["seated", "general admission"],
    )
    def test_that_a_page_has_not_heard_of_is_not_paid(
        self, open_page: OpenPage, seller: System, kind: dict[str, Any], category: str, button: str
    ) -> None:
        event = seller.create_event(**kind, currency="EUR")
        page = open_page(event).wait_live()
        page(button).click()
        expect(page("#main")).to_have_text("Buy for €40.00")
        page.page.evaluate(f"{MAP}.feed.stop()")
        self.set_price(seller, event, category, 3000)
        page("#main").click()
        expect(page("#notice-text")).to_contain_text("Your hold has changed")
        expect(page("#main")).to_have_text("Buy for €60.00")
        assert seats_sold(seller, event) == 0
        page("#main").click()
        page.wait_phase("receipt")
        expect(page("#receipt dd.number")).to_have_text("€60.00")
        page.close()


class TestHold:
    def test_outlives_a_reload_and_can_be_given_back(self, open_page: OpenPage, hall: str) -> None:
        page = open_page(hall).hold_best()
        page.page.reload()
        page.wait_phase("held")
        assert page("#seats li").count() == 2
        page("#release").click()
        page.wait_phase("choose").page.reload()
        page.wait_live().wait_phase("choose")
        page.close()

    def test_runs_out_in_view(self, open_page: OpenPage, hall: str, seller: System) -> None:
        """Quiet until two minutes are left, spoken then and at thirty seconds; the seats go with one sentence."""
        page = open_page(hall)
        page.page.clock.install()
        page.page.reload()
        page.hold_best()
        expect(page("#hold-text")).to_have_text(re.compile("^Yours for (10:00|9:5[0-9])$"))
        assert "short" not in (page("#hold").get_attribute("class") or "")
        token = page.stored("sessionStorage")[f"seating:{hall}:hold"]
        assert seller.request("DELETE", f"/api/v1/events/{hall}/holds/{token}").status == 204
        page.page.clock.fast_forward("08:10")
        expect(page("#hold")).to_have_class(re.compile("short"))
        expect(page("seating-map .say")).to_have_text("Two minutes left to buy your seats")
        page.page.clock.fast_forward("01:20")
        expect(page("seating-map .say")).to_have_text("Thirty seconds left to buy your seats")
        page.page.clock.fast_forward("00:40")
        page.wait_phase("choose")
        expect(page("#notice-text")).to_have_text("Your hold has ended and the seats are on sale again.")
        page.close(REFUSED)

    def test_ends_while_it_is_bought(self, open_page: OpenPage, hall: str, seller: System) -> None:
        """The buyer asked in time, so nobody says that the seats are on sale again."""
        page = open_page(hall)
        page.page.clock.install()
        page.page.reload()
        page.hold_best()
        asked: list[Route] = []
        are_late = True

        def keep(route: Route) -> None:
            asked.append(route) if are_late else route.continue_()

        page.page.route("**/purchases", keep)
        page("#main").click()
        page.wait_phase("buying")
        page.page.clock.fast_forward("10:30")
        expect(page("#main")).to_have_text("Buying …")
        expect(page("seating-map .say")).to_have_text(re.compile("^Held for you"))
        are_late = False
        for route in asked:
            route.continue_()
        page.wait_phase("receipt")
        expect(page("seating-map .say")).to_have_text(re.compile("^Held for you"))
        assert seats_sold(seller, hall) == 2
        page.close(GONE)

    def test_has_ended_when_it_is_bought(self, open_page: OpenPage, hall: str, seller: System) -> None:
        page = open_page(hall).hold_best()
        token = page.stored("sessionStorage")[f"seating:{hall}:hold"]
        assert seller.request("DELETE", f"/api/v1/events/{hall}/holds/{token}").status == 204
        page("#main").click()
        page.wait_phase("choose")
        expect(page("#notice")).to_be_visible()
        expect(page("#notice-text")).to_have_text("Your hold has ended and the seats are on sale again.")
        expect(page("#chosen")).to_be_hidden()
        page.close(REFUSED)

    def test_is_not_extended_by_a_busy_server(self, open_page: OpenPage, hall: str) -> None:
        """That says nothing of how long it can be kept."""
        page = open_page(hall).hold_best()
        busy = {"code": "INVENTORY_UNAVAILABLE", "message": "…"}
        page.page.route("**/holds/*", lambda route: route.fulfill(status=503, json=busy))
        page("#extend").click()
        expect(page("#main")).to_have_text("One moment …")
        expect(page("#main")).to_have_text("Buy now")
        expect(page("#notice-text")).to_have_text("The server is busy. Your choice is kept; try again.")
        page.close("status of 503")

    def test_is_extended_while_its_seats_are_being_changed(self, open_page: OpenPage, hall: str) -> None:
        """The choice stays as it is."""
        page = open_page(hall).hold_best()
        page("#seats button").first.click()
        for count in (1, 2):
            text = f"Change to {count} seat{'s' if count > 1 else ''}"
            expect(page("#main")).to_have_text(text)
            page("#extend").click()
            expect(page("#notice-text")).to_have_text(re.compile("extended"))
            expect(page("#main")).to_have_text(text)
            expect(page("#seats li")).to_have_count(count)
            page.page.evaluate(f"{MAP}.select(['sec-1-row-D-seat-1'])")
        page.close()

    def test_its_seats_can_be_changed(self, open_page: OpenPage, hall: str) -> None:
        """The button says that it works in the moment it is pressed."""
        page = open_page(hall).hold_best()
        press = "() => { const main = document.querySelector('#main'); main.click(); return main.textContent }"
        page("#seats button").first.click()
        expect(page("#main")).to_have_text("Change to 1 seat")
        assert page.page.evaluate(press) == "One moment …"
        expect(page("#main")).to_have_text("Buy now")
        assert page("#seats li").count() == 1
        page.page.evaluate("document.querySelector('seating-map').select(['sec-1-row-D-seat-1'])")
        expect(page("#main")).to_have_text("Change to 2 seats")
        page("#main").click()
        expect(page("#main")).to_have_text("Buy now")
        assert page("#seats li").count() == 2
        page("#extend").click()
        expect(page("#notice-text")).to_have_text(re.compile("extended"))
        page.close()
