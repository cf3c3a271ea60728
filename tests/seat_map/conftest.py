"""One product, one shop of another origin and one browser for all tests of the seat map."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.doors import TOKEN, bearer
from tests.programs import chromium
from tests.seat_map.browser import MapPage
from tests.seat_map.own_page import OwnPage
from tests.seat_map.shop import Shop
from tests.system import System, running_system
from tests.web import JSON

GALA: Final = {"generate": {"sections": 2, "rows": 5, "seatsPerRow": 10}}
REFUSED: Final = r"status of 4\d\d"
expect.set_options(timeout=20_000)
_HASTE: Final = {"control/page.js": {"LISTS_EVERY": 1}, "control/events.js": {"INCOMES_EVERY_MS": 1_000}}
in_its_own_time = pytest.mark.parametrize("room", [None], indirect=True)
OpenMap = Callable[..., MapPage]
OpenPage = Callable[..., OwnPage]


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    server = Shop()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def seller(tmp_path_factory: pytest.TempPathFactory, shop: Shop) -> Iterator[System]:
    """The product, which lists the shop's origin and wants the longest keys that it can."""
    folder = tmp_path_factory.mktemp("seller")
    settings = {"CORS_ORIGINS": shop.origin, "RATE_LIMIT_HOLDS": "off", "RATE_LIMIT_SALE": "off"}
    with running_system(folder, **settings, IDEMPOTENCY_KEY_MIN="36") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    options = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=options)
        yield running
        running.close()


@pytest.fixture
def open_map(browser: Browser, shop: Shop, seller: System) -> OpenMap:
    """Opens the map of an event, and waits until it is live."""

    def opened(event: str, *attributes: str, server: str | None = None, **options: Any) -> MapPage:
        origin = server or f"http://127.0.0.1:{seller.port}"
        return MapPage(browser, shop, event, origin, *attributes, **options).wait_live()

    return opened


@pytest.fixture
def open_page(browser: Browser, seller: System) -> Iterator[OpenPage]:
    """Opens the buyer's page of an event."""
    opened: list[OwnPage] = []

    def opens(event: str, query: str = "", **options: Any) -> OwnPage:
        opened.append(OwnPage(browser, seller.port, f"/events/{event}{query}", **options))
        return opened[-1]

    yield opens
    for page in opened:
        page.context.close()


@pytest.fixture
def hall(seller: System) -> str:
    """An event of 40 seats."""
    return seller.create_event(seatingPlan={"generate": {"sections": 1, "rows": 4, "seatsPerRow": 10}})


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose operator has a token."""
    folder = tmp_path_factory.mktemp("guarded")
    with running_system(folder, ADMIN_TOKEN=TOKEN) as running:
        yield running


@pytest.fixture
def gala(guarded: System) -> str:
    """An event of 100 seats with prices."""
    body = json.dumps(
        {"name": "Gala", "seatingPlan": GALA, "currency": "EUR", "categories": {"Seats": {"price": 4500}}}
    )
    answer = guarded.request("POST", "/api/v1/events", body.encode(), JSON | bearer(TOKEN))
    assert answer.status == 201, answer.body
    event: str = answer.json["id"]
    return event


@pytest.fixture
def room(browser: Browser, guarded: System, gala: str, request: pytest.FixtureRequest) -> Iterator[OwnPage]:
    """The control room of an operator, with an event chosen. It reads its lists often, unless `in_its_own_time`."""
    waits = getattr(request, "param", _HASTE)
    page = OwnPage(browser, guarded.port, f"/control?event={gala}", waits, viewport={"width": 1440, "height": 900})
    page("#key").fill(TOKEN)
    page("#key").press("Enter")
    expect(page("#event")).to_have_value(gala)
    yield page
    page.close(REFUSED)
