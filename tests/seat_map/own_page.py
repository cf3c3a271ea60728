"""Our own pages in Chromium: they must log no error, keep to their policy, and ask nobody but the product."""

import json
import re
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Locator, Page, expect

from tests.seat_map.browser import Waits, hasten

AXE: Final = (Path(__file__).parent / "axe-core-4.14.1" / "axe.min.js").read_text()
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_SHIFTS: Final = """
window.shifts = 0
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) shifts += entry.value
}).observe({ type: 'layout-shift', buffered: true })
"""


class OwnPage:
    """A page of the product on `port`. Each has a browser profile of its own, as another buyer's would be."""

    def __init__(self, browser: Browser, port: int, path: str, waits: Waits | None = None, **options: Any) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", "timezone_id": "Europe/Berlin", **options}
        )
        self.context.set_default_timeout(30_000)
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.add_init_script(_SHIFTS)
        hasten(self.page, waits or {})
        self.page.goto(self.origin + path)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.origin, f"blob:{self.origin}", "data:")):
            self.faults.append(f"asked {url}")

    def __call__(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def wait_phase(self, phase: str) -> "OwnPage":
        self.page.wait_for_selector(f"body[data-phase={phase}]")
        return self

    def wait_live(self) -> "OwnPage":
        self.page.wait_for_selector("seating-map[connection=live]")
        return self

    def hold_best(self) -> "OwnPage":
        """Hold the best two seats, as a buyer does."""
        self.wait_live()
        self("#find").click()
        return self.wait_phase("held")

    def buy_without_answer(self) -> None:
        """The seats are sold, and the answer is lost."""
        self.page.route("**/purchases", lambda route: (route.fetch(), route.abort()))
        self("#main").click()
        expect(self("#notice-text")).to_contain_text("No answer yet")

    def wait_shown(self) -> None:
        """Wait until the page has shown what it was answered."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def stored(self, storage: str) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.page.evaluate(f"JSON.stringify({storage})"))
        return found

    def findings(self) -> list[tuple[str, str]]:
        """What axe finds on the page, by rule and element."""
        self.page.evaluate(AXE)
        found = self.page.evaluate(f"axe.run({{ runOnly: {json.dumps(_RULES)} }})")
        return [(rule["id"], node["html"]) for rule in found["violations"] for node in rule["nodes"]]

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        found: int = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return found

    def close(self, *but_for: str) -> None:
        """Close the page, which must be without faults but for those that match."""
        self.page.unroute_all(behavior="ignoreErrors")
        self.context.close()
        faults = [fault for fault in self.faults if not any(re.search(allowed, fault) for allowed in but_for)]
        assert not faults, faults
