"""Pages in Chromium that must keep to their policy, log no error, and ask nobody but the shop and the product."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Route

from tests.seat_map.shop import STATIC, Shop
from tests.servers import wait_until
from tests.system import Client
from tests.web import JSON

EVENTS: Final = (
    "ready selectionchange holdchange holdexpired soldelsewhere live catchingup offline error".split()  # noqa: SIM905
)
_RECORD: Final = """
window.told = []
for (const type of %s) document.addEventListener(type, (event) => {
  if (event.target.localName !== 'seating-map') return
  told.push([type, event.detail])
  if (type !== 'ready') return
  const answers = performance.getEntriesByType('resource').filter(({ name }) => /[/](plan|seats)$/.test(name))
  window.firstDrawMs = performance.now() - Math.max(...answers.map(({ responseEnd }) => responseEnd))
})
"""
_TIME: Final = """
window.frames_ms = []
let spent = 0
const timed = (act) => function (...given) {
  const start = performance.now()
  try { return act.apply(this, given) } finally { spent += performance.now() - start }
}
const next = window.requestAnimationFrame.bind(window)
window.requestAnimationFrame = (act) => next((now) => { timed(act)(now); frames_ms.push(spent); spent = 0 })
const add = EventTarget.prototype.addEventListener
EventTarget.prototype.addEventListener = function (type, act, ...rest) {
  return add.call(this, type, /pointer|wheel|message/.test(type) ? timed(act) : act, ...rest)
}
"""
_REST: Final = """new Promise((go) => {
  const end = performance.now() + 400
  const look = (now) => requestAnimationFrame(now > end ? go : look)
  requestAnimationFrame(look)
})"""
MAP: Final = "document.querySelector('seating-map')"
Waits = Mapping[str, Mapping[str, int]]
"""Constants of the product's scripts that a test cannot wait for, by file and name."""


def hasten(page: Page, waits: Waits) -> None:
    """Serve these files with these values of their constants, before the page is opened."""
    for file, constants in waits.items():
        script = (STATIC / file).read_text()
        for name, value in constants.items():
            script, count = re.subn(rf"^const {name} = [\d_]+", f"const {name} = {value}", script, flags=re.MULTILINE)
            assert count == 1, f"{name} is not in {file}"
        page.route(f"**/static/{file}", _serve(script))


def _serve(script: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(body=script, content_type="text/javascript")


class MapPage:
    """A page of the shop with the map of one event. `timed` pages record the script time of each frame."""

    def __init__(
        self,
        browser: Browser,
        shop: Shop,
        event: str,
        server: str,
        *attributes: str,
        timed: bool = False,
        waits: Waits | None = None,
        **options: Any,
    ) -> None:
        self.shop = shop
        self._context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self.page: Page = self._context.new_page()
        self.faults: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.add_init_script(_RECORD % json.dumps(EVENTS) + (_TIME if timed else ""))
        tag = " ".join((f'event="{event}"', f'server="{server}"', *attributes))
        shop.pages[f"/{event}"] = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
            'content="width=device-width"><title>Shop</title><link rel="stylesheet" href="/shop.css">'
            '<script type="module" src="/static/seating-map.js"></script></head>'
            f"<body><main><h1>Shop</h1><seating-map {tag}></seating-map></main></body></html>"
        )
        hasten(self.page, waits or {})
        self.page.goto(shop(f"/{event}"))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def _asked(self, url: str) -> None:
        if urlsplit(url).hostname not in ("127.0.0.1", None):
            self.faults.append(f"asked {url}")

    def wait_live(self) -> "MapPage":
        self.wait_for("window.told?.some(([type]) => type === 'ready')")
        self.page.wait_for_selector("seating-map[connection=live]")
        return self

    def wait_for(self, expression: str) -> None:
        self.page.wait_for_function(f"() => {expression}", timeout=30_000)

    def call(self, expression: str) -> Any:
        """Evaluate, with `map` for the component."""
        return self.page.evaluate(f"async () => {{ const map = {MAP}; return await ({expression}) }}")

    def told(self, kind: str) -> list[Any]:
        """The details of all events of one type so far."""
        return [detail for name, detail in self.page.evaluate("window.told") if name == kind]

    def seats(self) -> list[str]:
        """The ids of the chosen seats, as the page was told."""
        return [seat["id"] for seat in (self.told("selectionchange") or [{"seats": []}])[-1]["seats"]]

    def shows(self, seat: str, status: str) -> bool:
        found: bool = self.call(
            f"['available', 'held', 'reserved', 'sold'][map.feed.statuses[map.feed.indexOf('{seat}')]] === '{status}'"
        )
        return found

    def spoken(self) -> str:
        text: str = self.page.locator("seating-map .say").inner_text()
        return text

    def rest(self) -> None:
        """Wait until the map has drawn the end of its movement, which takes 320 ms of the clock of frames."""
        self.page.evaluate(_REST)

    def click_seat(self, seat: str, act: Callable[[float, float], object] | None = None) -> None:
        """Bring a seat into view and click where it is drawn."""
        self.call(f"map.zoomTo(['{seat}'])")
        self.rest()
        box = self.page.locator("seating-map .seats").bounding_box()
        assert box
        (act or self.page.mouse.click)(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def close(self, but_for: Iterable[str] = ()) -> None:
        """Close the page, which must be without faults but for those that match."""
        self._context.close()
        faults = [fault for fault in self.faults if not any(re.search(allowed, fault) for allowed in but_for)]
        assert not faults, faults


def all_shown(page: Page, client: Client, event: str) -> None:
    """Wait until the page shows what the server has."""

    def same() -> bool:
        now = client.get(f"/api/v1/events/{event}/seats").json
        order = ["available", "held", "reserved", "sold"]
        codes = [order.index(now["statuses"][letter]) for letter in now["seats"]]
        return bool(page.evaluate(f"[...{MAP}.feed.statuses]") == codes)

    wait_until(same, 20, "the map to be the server's")


def change_event(client: Client, path: str, **fields: Any) -> None:
    """Change an event, or its seats where `path` goes on to them."""
    answer = client.request("PATCH", f"/api/v1/events/{path}", json.dumps(fields).encode(), JSON)
    assert answer.status == 200, answer.body


def seats_sold(client: Client, event: str) -> int:
    """The number of seats that are sold."""
    sold: int = client.get(f"/api/v1/events/{event}").json["seatsSold"]
    return sold
