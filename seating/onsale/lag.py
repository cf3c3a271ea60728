"""How long after the last answer SQL has every purchase."""

import time
from collections.abc import Callable, Sequence
from typing import Final

import gevent

from seating.onsale.sale import Record, Sale, Sold, record_of
from seating.onsale.server import Client

WITHIN_S: Final = 60.0

_PAUSE_S: Final = 0.02


def seconds_to_zero(
    sale: Sale, bought: Sequence[Sold], last_answer_at: float, within_s: float = WITHIN_S
) -> float | None:
    """Seconds from `last_answer_at` (performance counter) until the lag is zero, None if not `within_s` of now.

    Of an event that the server's stats do not cover, the lag is zero when the newest purchase has reached SQL: the
    log is recorded in its order. Raises Unreachable.
    """
    client = Client(sale.server)
    is_zero = _lag_is_zero(sale, client, bought)
    give_up_at = time.perf_counter() + within_s
    while not is_zero():
        if time.perf_counter() > give_up_at:
            return None
        gevent.sleep(_PAUSE_S)
    client.close()
    return time.perf_counter() - last_answer_at


def _lag_is_zero(sale: Sale, client: Client, bought: Sequence[Sold]) -> Callable[[], bool]:
    if sale.lag(client) is not None:
        return lambda: sale.lag(client) == 0
    if not bought:
        return lambda: True
    newest = max(bought, key=lambda sold: sold.position).purchase_id
    return lambda: _has_left_the_log(record_of(client, newest))


def _has_left_the_log(found: Record | str) -> bool:
    """Recorded, or put aside for good; what is amiss with it is the books' matter."""
    return not isinstance(found, Record) or found.state != "accepted"
