"""Cancelling a purchase of a lost history: whatever was decided about it, and whoever decides at the same time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from seating.domain.change_json import change_json
from seating.domain.changes import Purchased
from seating.domain.log_entry import LogEntry
from seating.domain.personal_data import PersonalData, hash_of
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.domain.recovery_errors import NotReplayable
from seating.domain.seating_plan import SeatRange
from seating.redis_store.inventory import Inventory
from seating.services.purchases import Purchases
from seating.storage import answered, quarantine, webhook_notices
from seating.storage.answered import ConfirmedRange
from seating.storage.quarantine import QuarantinedEntry
from seating.storage.tables import audit
from tests.offers import open_hall
from tests.one_process import OPERATOR, OneProcess

_NONCE = "0123456789abcdef"
_REFERENCE: Final = "R"
_PRIVATE: Final = PersonalData(reference=_REFERENCE).to_text()
_AT = Position(7, 4)
_SOLD: Final = Purchased(5_000, 2, 4, [], _NONCE, "hash", "print", 1, None, private=hash_of(_PRIVATE))
_GOLD: Final = replace(_SOLD, runs=[SeatRange(0, 0, 2)], tariff="0:5000", currency="EUR")


def _aside(
    sale: OneProcess, event: str, reason: str, resolution: str | None = None, sold: Purchased = _SOLD
) -> PurchaseId:
    """A purchase of two seats, which another history has, or the receipt of its buyer."""
    entry = LogEntry(_AT, change_json(sold), f"of a {reason}", _PRIVATE)
    sale.database.write(answered.remember, {(event, 7): ConfirmedRange(3, 4)})
    sale.database.write(quarantine.put_aside, [QuarantinedEntry(event, entry, reason, "why", resolution)])
    return PurchaseId(event, _AT, _NONCE)


def _settled(sale: OneProcess, event: str) -> PurchaseId:
    purchase_id = _aside(sale, event, quarantine.LOST, sold=_GOLD)
    sale.losses.settle(event, 7, OPERATOR)
    return purchase_id


def _superseded(sale: OneProcess, event: str) -> PurchaseId:
    return _aside(sale, event, quarantine.FORK, "superseded", sold=_GOLD)


def _by_reference(sale: OneProcess, event: str) -> list[tuple[PurchaseId, str]]:
    page = sale.purchase_lists.page(event, None, 10, _REFERENCE)
    return [(purchase.id, str(purchase.state)) for purchase in page.items]


def _acts(sale: OneProcess, event: str) -> list[str]:
    return [row.action for row in sale.rows(audit, event) if row.action == "purchase.cancel"]


def _notices(sale: OneProcess, event: str) -> list[str]:
    noted = sale.database.read(webhook_notices.after, event, 0, 10)
    return [notice.kind for notice in noted if notice.kind == webhook_notices.CANCELLED]


@pytest.mark.parametrize("decided", [_settled, _superseded])
def test_what_was_given_up_can_be_cancelled(sale: OneProcess, decided: Callable[[OneProcess, str], PurchaseId]) -> None:
    """Once: with an act, a notice for the shop, and all that the buyer has to be refunded."""
    event = open_hall(sale)
    purchase_id = decided(sale, event)
    before = sale.purchases.get(purchase_id)
    assert (before.state, before.cancelled_quantity, before.cancelled_total) == ("quarantined", 0, 0)
    assert _by_reference(sale, event) == [(purchase_id, "quarantined")]
    for _ in range(2):
        found = sale.purchases.cancel(purchase_id, OPERATOR)
        assert found == sale.purchases.get(purchase_id)
        assert (found.state, found.cancelled_quantity, found.cancelled_total) == ("cancelled", 2, 10_000)
        assert found.seats == found.cancelled_seats == ["Gold-A-1", "Gold-A-2"]
        assert (found.cancelled_ms is None, found.why) == (False, OPERATOR.why)
        assert _by_reference(sale, event) == [(purchase_id, "cancelled")]
    assert (_acts(sale, event), _notices(sale, event)) == (["purchase.cancel"], ["cancelled"])
    assert sale.losses.all(event) == [] or decided is _superseded


def test_a_loss_that_was_settled_and_found_and_cancelled_is_listed_as_cancelled(sale: OneProcess) -> None:
    event = open_hall(sale)
    purchase_id = _settled(sale, event)
    assert _aside(sale, event, quarantine.FORK, quarantine.CANCELLED, _GOLD) == purchase_id
    assert sale.purchases.get(purchase_id).state == "cancelled"
    assert _by_reference(sale, event) == [(purchase_id, "cancelled")]


@pytest.mark.parametrize("resolution", ["found", "obsolete", "settled", "superseded"])
def test_what_stands_is_cancelled_with_its_seats(sale: OneProcess, resolution: str) -> None:
    """Quarantine has a trace of it, from when it was thought lost."""
    event = sale.open(capacity=10)
    receipt = sale.buy(event, "k", 2, _REFERENCE)
    sale.persist(event)
    change = change_json(receipt.change("hash"))
    entry = LogEntry(receipt.id.position, change, "of another log", receipt.private)
    sale.database.write(quarantine.put_aside, [QuarantinedEntry(event, entry, quarantine.FORK, "why", resolution)])
    assert _by_reference(sale, event) == [(receipt.id, "persisted")]
    assert sale.cancel(receipt.id) == "cancelled"
    assert sale.now(event).counts.sold == 0
    sale.persist(event)
    assert sale.purchases.get(receipt.id).state == "cancelled"
    assert _by_reference(sale, event) == [(receipt.id, "cancelled")]
    assert sale.check.reconcile(event) == []


def test_a_replay_that_a_cancellation_overtakes_sells_nothing(
    sale: OneProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = sale.open(capacity=10)
    purchase_id = _aside(sale, event, quarantine.FORK)
    sell_again = Inventory.sell_again

    def and_cancel(self: Inventory, *args: Any) -> Any:
        sold = sell_again(self, *args)
        sale.another().purchases.cancel(purchase_id, OPERATOR)
        return sold

    monkeypatch.setattr(Inventory, "sell_again", and_cancel)
    with pytest.raises(NotReplayable, match="cancelled"):
        sale.quarantine.replay(event, str(_AT), OPERATOR)
    assert sale.purchases.get(purchase_id).state == "cancelled"
    sale.persist(event)
    assert sale.purchases.get(purchase_id).state == "cancelled"
    assert sale.now(event).counts.sold == 0


@pytest.mark.parametrize("recorded", [True, False])
def test_a_cancellation_that_a_replay_overtakes_returns_the_seats(
    sale: OneProcess, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    event = sale.open(capacity=10)
    purchase_id = _aside(sale, event, quarantine.FORK)
    find, overtaking = Purchases._fork, [sale.another()]

    def and_replay(self: Purchases, *args: Any) -> Any:
        found = find(self, *args)
        while overtaking:
            operator = overtaking.pop()
            operator.quarantine.replay(event, str(_AT), OPERATOR)
            if recorded:
                operator.persist(event)
        return found

    monkeypatch.setattr(Purchases, "_fork", and_replay)
    assert sale.cancel(purchase_id) == "cancelled"
    assert sale.now(event).counts.sold == 0
    sale.persist(event)
    assert sale.purchases.get(purchase_id).state == "cancelled"
