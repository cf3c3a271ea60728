"""The control room's figures: worked out of two samples of the metrics, whatever these leave out."""

from typing import Any, Final

import pytest

from tests.seat_map.own_page import OwnPage

BETWEEN: Final = """async ([before, after]) => {
  const { between, parse } = await import('/static/control/figures.js')
  return between(parse(before), parse(after), 1)
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
