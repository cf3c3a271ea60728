"""What a process does when it crashes: one act for each way through the product, for the test and for its victims.

An act works on what the test prepared and described in `given`, which is texts only. To run it again is what its caller
would do who got no answer.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any
from unittest.mock import patch

import gevent

from seating.domain.errors import HoldExpired
from seating.domain.purchase import Order, PurchaseId
from seating.domain.recovery_errors import NothingToMerge, Overtaken, QuarantineEntryNotFound
from seating.runtime import webhook_messages
from seating.services import webhook_sender
from seating.services.webhook_sender import WebhookSender
from seating.storage.events import CreationKey
from tests.one_process import OPERATOR
from tests.proof.crashing import CrashingClient, CrashingProcess

Given = dict[str, str]
Act = Callable[[CrashingProcess, Given], Any]

_WITHIN_S = 60.0

_A_LOOK_S = 1e-9
"""Too short to ask SQL a second time, so that the number of calls does not depend on the machine."""


def buy(process: CrashingProcess, given: Given) -> Any:
    order = Order(2, reference="order-1", buyer=given["key"])
    sold = process.purchases.buy(given["event"], "shop", given["key"], order, wait_s=_A_LOOK_S)
    return sold.receipt, sold.seats


def buy_and_flush(process: CrashingProcess, given: Given) -> Any:
    """What was confirmed is noted in SQL, as every second."""
    answer = buy(process, given)
    process.answered.flush()
    return answer


def buy_seats(process: CrashingProcess, given: Given) -> Any:
    sold = process.purchases.buy(given["event"], "shop", given["key"], Order(1, seats=(given["seat"],)))
    return sold.receipt, sold.seats


def buy_held(process: CrashingProcess, given: Given) -> Any:
    sold = process.purchases.buy(given["event"], "shop", given["key"], Order(0, hold_token=given["token"]))
    return sold.receipt, sold.seats


def hold(process: CrashingProcess, given: Given) -> Any:
    held = process.holds.hold(given["event"], "shop", given["key"], given["key"], Order(2))
    return held.token, held.seats


def extend(process: CrashingProcess, given: Given) -> Any:
    held = process.holds.extend(given["event"], given["token"])
    return held.token, held.seats


def change_hold(process: CrashingProcess, given: Given) -> Any:
    held = process.holds.change(given["event"], given["token"], [given["seat"]], [given["removed"]])
    return held.token, held.seats


def release(process: CrashingProcess, given: Given) -> None:
    with suppress(HoldExpired):  # It was released before the crash.
        process.holds.release(given["event"], given["token"])


def expire(process: CrashingProcess, given: Given) -> None:
    process.holds.store.expire(given["event"])


def cancel(process: CrashingProcess, given: Given) -> Any:
    purchase = process.purchases.cancel(PurchaseId.parse(given["purchase"]), OPERATOR)
    return str(purchase.state)


def cancel_part(process: CrashingProcess, given: Given) -> Any:
    purchase = process.purchases.cancel(PurchaseId.parse(given["purchase"]), OPERATOR, given["seat"])
    return purchase.cancelled_quantity


def replay(process: CrashingProcess, given: Given) -> None:
    with suppress(QuarantineEntryNotFound):  # It was replayed before the crash.
        process.quarantine.replay(given["event"], given["position"], OPERATOR)


def cancel_quarantined(process: CrashingProcess, given: Given) -> None:
    with suppress(QuarantineEntryNotFound):  # It was cancelled before the crash.
        process.quarantine.cancel(given["event"], given["position"], OPERATOR)


def create(process: CrashingProcess, given: Given) -> Any:
    key = CreationKey(given["key"], "fingerprint")
    found, _ = process.event_creation.once(
        key, lambda: process.event_creation.create("Test", 10, None, OPERATOR, key=key)
    )
    return found.event.id


def persist(process: CrashingProcess, given: Given) -> None:
    process.persistence.run_now(given["event"])


def rebuild_in_vain(process: CrashingProcess, given: Given) -> None:
    """It finds under its claim that there is nothing to rebuild."""
    with suppress(Overtaken):
        process.rebuild.run(given["event"], "a test", claimable="any", only_if_lost=True)


def merge(process: CrashingProcess, given: Given) -> None:
    with suppress(NothingToMerge):  # It was merged before the crash.
        process.merge.run(given["event"], "redis", OPERATOR)


@cache
def _client() -> CrashingClient:
    """It takes a tenth of a second to load the certificates that it trusts."""
    return CrashingClient(_WITHIN_S, allow_private=True)


def deliver(process: CrashingProcess, given: Given) -> None:
    """By the stage's clock: a claim of a sender that died must lapse."""
    client = _client()
    client.crossings = process.crossings
    sender = WebhookSender(process.database, webhook_messages(process.database), client, retry_s=600)
    with patch.object(webhook_sender, "_now_ms", lambda: int(given["now_ms"])):
        sender.tick()
        gevent.joinall([*sender._busy.values()], raise_error=True)
        sender.stop(_WITHIN_S)


ACTS: dict[str, Act] = {
    act.__name__: act
    for act in (
        *(buy, buy_and_flush, buy_seats, buy_held, hold, extend, change_hold, release, expire),
        *(cancel, cancel_part, replay, cancel_quarantined, create, persist, rebuild_in_vain, merge, deliver),
    )
}
