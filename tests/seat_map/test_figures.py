"""The control room's figures: worked out of two samples of the metrics, whatever these leave out."""

from typing import Any, Final

import pytest
from playwright.sync_api import Route

from tests.seat_map.own_page import OwnPage
from tests.servers import wait_until

BETWEEN: Final = """async ([before, after]) => {
  const { between, parse } = await import('/static/control/figures.js')
  return between(parse(before), parse(after), 1)
}"""

RATES: Final = """() => {
  window.rates = []
  const rate = document.getElementById('rate')
  new MutationObserver(() => rates.push(rate.textContent)).observe(rate, { childList: true })
}"""


def timed(outcome: str, *up_to: int) -> str:
    """How many purchases with an outcome took up to 10 ms, 100 ms, and any time, as the metrics say it."""
    bounds = zip(("0.01", "0.1", "+Inf"), up_to, strict=True)
    bucket = "seating_purchase_seconds_bucket"
    return "".join(f'{bucket}{{le="{bound}",outcome="{outcome}"}} {count}\n' for bound, count in bounds)


def test_latencies_are_of_purchases_with_any_outcome(room: OwnPage) -> None:
    """Each outcome has buckets of its own; the last one's may not have grown."""

    def percentiles(before: str, after: str) -> list[float]:
        found: dict[str, Any] = room.page.evaluate(BETWEEN, [before, after])
        return [found[name] for name in ("p50", "p95", "p99")]

    alone = percentiles(timed("sold", 0, 10, 10), timed("sold", 60, 110, 110))
    assert alone == pytest.approx([8.33, 88.75, 97.75], abs=0.01)
    before = timed("sold", 0, 10, 10) + timed("sold_out", 5, 5, 5)
    assert percentiles(before, timed("sold", 60, 110, 110) + timed("sold_out", 5, 5, 5)) == alone
    assert percentiles(before, timed("sold", 30, 55, 55) + timed("sold_out", 35, 60, 60)) == alone


@pytest.mark.parametrize("is_named", [True, False])
def test_a_balancer_that_changes_the_instance_makes_no_sales(room: OwnPage, *, is_named: bool) -> None:
    """Two instances answer in turn, and neither sells. If their texts had no names, that would look like sales."""
    totals = {"one": 100, "other": 5000}
    asked = 0

    def answer(route: Route) -> None:
        nonlocal asked
        name = list(totals)[asked % 2]
        asked += 1
        body = f'seating_purchases_total{{outcome="sold"}} {totals[name]}\n'
        route.fulfill(headers={"Instance": name} if is_named else {}, body=body)

    room.page.evaluate(RATES)
    room.page.route("**/metrics", answer)
    wait_until(lambda: room.page.evaluate("rates.length") > 2, 60, "three figures to be shown")
    assert (set(room.page.evaluate("rates")) == {"0.0"}) == is_named
