"""Render the pictures of docs/images: our pages as buyers and operators see them, in a real browser."""

import json
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from tests.programs import chromium
from tests.seat_map.theatre import OFFER, theatre
from tests.system import PROJECT, System, running_system
from tests.web import JSON

IMAGES: Final = PROJECT / "docs" / "images"
PHONE: Final = {"width": 390, "height": 844}
DESKTOP: Final = {"width": 1440, "height": 900}
SCREEN: Final = {"width": 1440, "height": 1040}
STADIUM: Final = {"generate": {"sections": 50, "rows": 20, "seatsPerRow": 50}}
STADIUM_OFFER: Final = {"currency": "EUR", "categories": {"Seats": {"price": 4500}}}
MAP: Final = "document.querySelector('seating-map')"


@contextmanager
def product() -> Iterator[System]:
    settings = {"RATE_LIMIT_SALE": "off", "RATE_LIMIT_HOLDS": "off"}
    with (
        tempfile.TemporaryDirectory(prefix="seating-screenshots-") as folder,
        running_system(Path(folder), **settings) as running,
    ):
        yield running


class Camera:
    """Opens pages of the product and keeps what they show. With names on the command line, only those pictures."""

    def __init__(self, browser: Browser, system: System) -> None:
        self._browser = browser
        self._origin = f"http://127.0.0.1:{system.port}"
        self._wanted = set(sys.argv[1:])

    def take(
        self, name: str, path: str, size: dict[str, int], act: Callable[[Page], object], scheme: str = "light"
    ) -> None:
        if self._wanted and name not in self._wanted:
            return
        options: dict[str, Any] = {"viewport": size, "color_scheme": scheme, "locale": "en-GB"}
        context = self._browser.new_context(**options, timezone_id="Europe/Berlin")
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(self._origin + path)
        act(page)
        page.wait_for_timeout(600)  # What moves has come to rest.
        page.screenshot(path=IMAGES / f"{name}.png")
        context.close()
        print(name)


def live(page: Page) -> None:
    page.wait_for_selector("seating-map[connection=live]")
    page.wait_for_timeout(400)


_pairs = iter([(f"Stalls-{row}-{seat}", f"Stalls-{row}-{seat + 1}") for row in "KLM" for seat in (10, 12, 14, 16)])
"""Free seats: those of one picture are held or sold in the next."""


def chosen(page: Page) -> None:
    live(page)
    page.evaluate(f"{MAP}.select({json.dumps(next(_pairs))})")


def held(page: Page) -> None:
    chosen(page)
    page.click("#main")
    page.wait_for_selector("body[data-phase=held]")


def receipt(page: Page) -> None:
    held(page)
    page.click("#main")
    page.wait_for_selector("[data-state=persisted]")


def running_out(page: Page) -> None:
    page.clock.install()
    page.reload()
    held(page)
    page.clock.fast_forward("08:47")


def near(seats: list[str], picked: list[str]) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        live(page)
        page.evaluate(f"{MAP}.zoomTo({json.dumps(seats)})")
        page.evaluate(f"{MAP}.select({json.dumps(picked)})")

    return act


def offline(page: Page) -> None:
    chosen(page)
    page.context.set_offline(True)
    page.wait_for_selector("#offline:not([hidden])")


def control(page: Page) -> None:
    page.wait_for_selector("#room:not([hidden])")
    page.wait_for_timeout(75_000)
    page.wait_for_selector("#late", state="hidden")


def sell(system: System, event: str, quantities: list[int]) -> None:
    for number in quantities:
        system.buy(number, event_id=event)


def crowd(system: System, event: str, stop: threading.Event) -> None:
    """About forty purchases a second, some of them held back, as in the busiest minutes."""
    while not stop.is_set():
        system.buy(1 + int(time.time()) % 4, event_id=event)
        if time.time() % 1 < 0.2:
            hold = {**JSON, "Idempotency-Key": str(uuid.uuid4())}
            system.request("POST", f"/api/v1/events/{event}/holds", b'{"quantity":2}', hold)
        stop.wait(0.05)


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with product() as system, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        camera = Camera(browser, system)
        starts = (datetime.now(UTC) + timedelta(days=90)).replace(hour=18, minute=30, second=0).isoformat()
        about = {"name": "A Midsummer Night's Dream", "venue": "Old Theatre", "startsAt": starts, **OFFER}
        evening = system.create_event(seatingPlan=theatre(), **about)
        sell(system, evening, [2, 4, 3, 2, 6, 1, 2, 5, 2, 4] * 5)
        page = f"/events/{evening}"
        camera.take("phone", page, PHONE, chosen)
        camera.take("phone-dark", page, PHONE, held, "dark")
        camera.take("receipt", page, PHONE, receipt)
        camera.take("desktop", page, DESKTOP, chosen)
        camera.take("desktop-dark", page, DESKTOP, held, "dark")
        camera.take("hold-running-out", page, PHONE, running_out)
        camera.take("offline", page, PHONE, offline)
        stalls = [f"Stalls-{row}-{seat}" for row in "EFGHJ" for seat in range(6, 20)]
        camera.take("theatre", page, DESKTOP, near(stalls, ["Stalls-H-14", "Stalls-H-15"]))
        opens = (datetime.now(UTC) + timedelta(minutes=4, seconds=12)).isoformat()
        before = system.create_event(seatingPlan=theatre(), **about, onSaleAt=opens)
        camera.take("before-opening", f"/events/{before}", PHONE, live)
        small = system.create_event(
            name="Reading", seatingPlan={"generate": {"sections": 1, "rows": 4, "seatsPerRow": 9}}
        )
        sell(system, small, [9, 9, 9, 9])
        camera.take("sold-out", f"/events/{small}", PHONE, live)
        stadium = system.create_event(
            name="Stadium night", venue="Arena", startsAt=starts, seatingPlan=STADIUM, **STADIUM_OFFER
        )
        sell(system, stadium, [4, 2, 6, 3, 10] * 60)
        camera.take("50000-far", f"/events/{stadium}", DESKTOP, live)
        seats = [f"sec-3-row-{row}-seat-{seat}" for row in "CDEFGH" for seat in range(18, 33)]
        camera.take("50000-near", f"/events/{stadium}", DESKTOP, near(seats, seats[6:8]))
        stop = threading.Event()
        buyers = [threading.Thread(target=crowd, args=(system, event, stop)) for event in (stadium, stadium, before)]
        for buyer in buyers:
            buyer.start()
        try:
            camera.take("control-room", f"/control?event={stadium}", SCREEN, control, "dark")
        finally:
            stop.set()
            for buyer in buyers:
                buyer.join()
        browser.close()


if __name__ == "__main__":
    main()
