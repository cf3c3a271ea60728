"""What endpoints are told: each change once, in the ledger's order, with the data that the routes show."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from seating.domain.change_json import change_json
from seating.domain.changes import Purchased
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.purchase import Order, PurchaseId
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.domain.webhook import MessageType
from seating.services.webhooks import Webhooks
from seating.storage import answered
from seating.storage.answered import ConfirmedRange
from seating.storage.quarantine import FORK, QuarantinedEntry, put_aside
from seating.storage.tables import ledger, sold_seats
from seating.web.event_views import view
from seating.web.purchases import PurchaseView
from seating.web.recovery import loss_view
from tests import frozen_clock
from tests.books.test_cancel import poison
from tests.one_process import OPERATOR, OneProcess
from tests.terms.backups import backup, restore, trim
from tests.webhooks.endpoint import add, deliver, is_done, new_sender, tick_for
from tests.webhooks.receiver import Receiver

_PLAN = generate(GeneratedPlan(sections=1, rows=2, seatsPerRow=6))
_NONCE = "0123456789abcdef"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


def _purchase(sale: OneProcess, purchase_id: PurchaseId) -> Any:
    """As GET shows it."""
    return PurchaseView.model_validate(sale.purchases.get(purchase_id)).model_dump(mode="json", by_alias=True)


def _data(receiver: Receiver, kind: str) -> list[Any]:
    return [received.json["data"] for received in receiver.accepted if received.type == kind]


def test_a_whole_sale(moved: OneProcess, receiver: Receiver) -> None:
    """Every type but losses: in order, signed, and of a purchase what GET shows at that moment."""
    sale = moved
    webhook = add(sale.database, receiver)
    event = sale.open(plan=_PLAN)
    sale.hold(event, "sec-1-row-B-seat-1", "sec-1-row-B-seat-2")
    shown: list[Any] = []
    first = sale.order(event, "first", Order(3, reference="A-1", buyer="c-2077", note="at the door"))
    second = sale.buy(event, "second", 2)
    sale.persist(event)
    shown += [_purchase(sale, first.id), _purchase(sale, second.id)]
    for count in (1, 2, 3):
        sale.cancel_part(first, count)
        sale.persist(event)
        shown.append(_purchase(sale, first.id))
    sale.calls.command("SET", frozen_clock.CLOCK, frozen_clock.NOON_MS + 600_000)
    assert sale.hold_store.expire(event) == 1
    sale.events.set_state(event, "paused", OPERATOR)
    sale.persist(event)
    deliver(new_sender(sale.database))

    kinds = [
        "event.state",
        "purchase.sold",
        "purchase.sold",
        *["purchase.cancelled"] * 3,
        "hold.expired",
        "event.state",
    ]
    assert [received.type for received in receiver.accepted] == kinds
    assert _data(receiver, "purchase.sold") + _data(receiver, "purchase.cancelled") == shown
    assert [data["cancelledQuantity"] for data in _data(receiver, "purchase.cancelled")] == [1, 2, 3]
    assert shown[-1]["state"] == "cancelled"
    assert shown[-1]["cancelledWhy"] == "a test"
    (hold,) = _data(receiver, "hold.expired")
    assert (hold["seats"], hold["quantity"]) == (["sec-1-row-B-seat-1", "sec-1-row-B-seat-2"], 2)
    states = _data(receiver, "event.state")
    assert [(data["id"], data["state"], data["selling"]) for data in states] == [
        (event, "on_sale", True),
        (event, "paused", False),
    ]
    assert states[0].keys() == view(sale.events.get(event)).model_dump(by_alias=True).keys()
    assert all(received.is_signed(webhook.secret) for received in receiver.requests)
    assert len(set(receiver.ids)) == len(receiver.ids) == len(receiver.requests)
    assert {received.headers["content-type"] for received in receiver.requests} == {"application/json"}
    assert receiver.accepted[1].id == f"msg_{event}.{first.id.position}"
    assert all(received.json.keys() == {"type", "timestamp", "data"} for received in receiver.accepted)
    assert b"c-2077" not in b"".join(received.body for received in receiver.requests)


def test_a_replay_says_the_same(sale: OneProcess, receiver: Receiver) -> None:
    """Byte for byte, whatever has become of the purchases since; from a position on, or all."""
    event = sale.open(10)
    webhook = add(sale.database, receiver, event)
    receipt = sale.buy(event, "key", 3)
    sale.cancel_part(receipt, 1)
    sale.persist(event)
    sender = new_sender(sale.database)
    deliver(sender)
    sale.cancel_part(receipt, 2)
    sale.cancel(receipt.id)
    sale.persist(event)
    deliver(sender)
    before = [(received.id, received.body) for received in receiver.accepted]
    assert len(before) == 4

    service = Webhooks(sale.database)
    service.replay(webhook.id, event, str(receipt.id.position), OPERATOR)
    deliver(sender)
    assert [(received.id, received.body) for received in receiver.accepted] == before + before[1:]
    receiver.accepted.clear()
    service.replay(webhook.id, event, None, OPERATOR)
    deliver(sender)
    assert [(received.id, received.body) for received in receiver.accepted][1:] == before
    assert receiver.accepted[0].type == "event.state"


def test_an_endpoint_chooses_event_and_types(sale: OneProcess, receiver: Receiver) -> None:
    """It begins with what happens after it was added, and with the beginning of later events."""
    old = sale.open(10)
    sale.buy(old, "before")
    sale.persist(old)
    add(sale.database, receiver, path="/all")
    add(sale.database, receiver, old, path="/old")
    add(sale.database, receiver, None, "purchase.cancelled", path="/cancelled")
    new = sale.open(10)
    after = sale.buy(old, "after")
    bought = sale.buy(new, "new")
    sale.cancel(bought.id)
    sale.persist(old)
    sale.persist(new)
    deliver(new_sender(sale.database))
    told: dict[str, list[tuple[str, str]]] = {}
    for received in receiver.accepted:
        data = received.json["data"]
        told.setdefault(received.path, []).append((received.type, data.get("eventId", data.get("id"))))
    assert sorted(told["/all"]) == sorted(
        [("purchase.sold", old), ("event.state", new), ("purchase.sold", new), ("purchase.cancelled", new)]
    )
    assert told["/old"] == [("purchase.sold", old)]
    assert told["/cancelled"] == [("purchase.cancelled", new)]
    assert f"msg_{old}.{after.id.position}" in receiver.ids


def test_losses(sale: OneProcess, receiver: Receiver) -> None:
    """Each is told once, and again if it grows; also one that is settled before a sender has seen it.

    One from before the endpoint was added is not told.
    """
    event = sale.open(10)
    sale.persist(event)
    sale.database.write(answered.remember, {(event, 6): ConfirmedRange(2, 2)})
    add(sale.database, receiver)
    new_sender(sale.database).tick()
    assert is_done(sale.database)
    sale.losses.settle(event, 6, OPERATOR)
    sender = new_sender(sale.database)
    sale.database.write(answered.remember, {(event, 7): ConfirmedRange(3, 4)})
    expected = [loss_view(sale.losses.all()[0]).model_dump(by_alias=True)]
    sender.tick()
    deliver(sender)
    assert _data(receiver, "loss") == expected
    sale.database.write(answered.remember, {(event, 7): ConfirmedRange(3, 6)})
    expected += [loss_view(sale.losses.all()[0]).model_dump(by_alias=True)]
    sale.losses.settle(event, 7, OPERATOR)
    deliver(sender)
    assert _data(receiver, "loss") == expected
    assert receiver.ids == [f"msg_{event}.loss.7-4", f"msg_{event}.loss.7-6"]


def test_poison_that_is_recorded_late(sale: OneProcess, receiver: Receiver) -> None:
    """Its place in the ledger is behind the cursor, yet it is told."""
    event = sale.open(plan=_PLAN)
    add(sale.database, receiver)
    receipt = sale.buy(event, "aside")
    poison(sale, event, _PLAN.seats_of(receipt.runs)[0])
    sale.buy(event, "later")
    sale.persist(event)
    sender = new_sender(sale.database)
    deliver(sender)
    assert len(_data(receiver, "purchase.sold")) == 1
    sale.database.write(lambda c: c.execute(sold_seats.delete().where(sold_seats.c.purchase_id.contains(".1-999."))))
    sale.quarantine.replay(event, str(receipt.id.position), OPERATOR)
    deliver(sender)
    assert _data(receiver, "purchase.sold")[1] == _purchase(sale, receipt.id)
    assert receiver.ids[-1] == f"msg_{event}.{receipt.id.position}"


def test_poison_that_is_cancelled(sale: OneProcess, receiver: Receiver) -> None:
    event = sale.open(plan=_PLAN)
    add(sale.database, receiver)
    receipt = sale.buy(event, "aside")
    poison(sale, event, _PLAN.seats_of(receipt.runs)[0])
    sale.persist(event)
    sale.quarantine.cancel(event, str(receipt.id.position), OPERATOR)
    sale.persist(event)
    deliver(new_sender(sale.database))
    (cancelled,) = _data(receiver, "purchase.cancelled")
    assert (cancelled["purchaseId"], cancelled["state"]) == (str(receipt.id), "cancelled")


def test_a_purchase_of_another_history_that_is_cancelled(sale: OneProcess, receiver: Receiver) -> None:
    """No entry says so; it is told all the same."""
    event = sale.open(10)
    sale.persist(event)
    add(sale.database, receiver)
    sold = Purchased(5_000, 2, 4, [], _NONCE, "hash", "print", 1, None)
    entry = LogEntry(Position(1, 5), change_json(sold), "5" * 40)
    sale.database.write(put_aside, [QuarantinedEntry(event, entry, FORK, "it was lost", None)])
    sale.quarantine.cancel(event, "1-5", OPERATOR)
    deliver(new_sender(sale.database))
    (cancelled,) = _data(receiver, "purchase.cancelled")
    assert (cancelled["purchaseId"], cancelled["cancelledQuantity"]) == (f"{event}.1-5.{_NONCE}", 2)


def test_an_sql_that_went_back_and_was_merged(sale: OneProcess, receiver: Receiver) -> None:
    """Purchases and cancellations that only Redis knew are told, those told before under their first ids."""
    add(sale.database, receiver)
    event = sale.open(plan=_PLAN)
    kept = sale.buy(event, "kept", 2)
    sale.persist(event)
    sender = new_sender(sale.database)
    deliver(sender)
    older = backup(sale.database)
    later = [sale.buy(event, f"key{number}") for number in range(3)]
    sale.cancel_part(kept, 1)
    sale.persist(event)
    deliver(sender)
    before = receiver.ids[:]
    trim(sale, event)
    restore(sale.database, older)
    sale.persist(event)
    sale.merge.run(event, "redis", OPERATOR)
    sale.persist(event)
    receiver.accepted.clear()
    deliver(sender)
    sold = [f"msg_{event}.{receipt.id.position}" for receipt in later]
    assert [received.id for received in receiver.accepted if received.type == "purchase.sold"] == sold
    assert set(sold) < set(before)
    (cancelled,) = _data(receiver, "purchase.cancelled")
    assert cancelled == _purchase(sale, kept.id) | {"cancelledAt": cancelled["cancelledAt"]}
    assert _data(receiver, "event.state")[-1]["state"] == "on_sale"


def test_what_a_later_version_wrote_is_not_skipped(sale: OneProcess, receiver: Receiver) -> None:
    add(sale.database, receiver)
    event = sale.open(10)
    sale.buy(event, "first")
    sale.buy(event, "second")
    sale.persist(event)
    (row,) = [row for row in sale.rows(ledger, event) if '"left":9' in row.change]
    here = (ledger.c.event_id == event, ledger.c.seq == row.seq)

    def write(change: str) -> None:
        sale.database.write(lambda c: c.execute(update(ledger).where(*here).values(change=change)))

    write('{"kind":"unheard-of"}')
    sender = new_sender(sale.database)
    service = Webhooks(sale.database)
    tick_for(sender, lambda: service.all()[0].error)
    assert "cannot be read" in str(service.all()[0].error)
    write(row.change)
    deliver(sender)
    assert [data["seats"] for data in _data(receiver, "purchase.sold")] == [[], []]


def test_an_error_of_ours_holds_up_one_event(sale: OneProcess, receiver: Receiver) -> None:
    """The first to be served; the list says so."""
    broken, sound = sorted(sale.open(10) for _ in range(2))
    webhook = add(sale.database, receiver)
    sold = {event: sale.buy(event, "key") for event in (broken, sound)}
    for event in sold:
        sale.persist(event)
    sender = new_sender(sale.database)
    render = sender.messages.render

    def render_some(kind: MessageType, at_ms: int, data: Any) -> bytes:
        if data.id.event_id == broken:
            raise TypeError("of a kind that nobody expects")
        return render(kind, at_ms, data)

    sender.messages = replace(sender.messages, render=render_some)
    tick_for(sender, lambda: receiver.ids, within_s=5)
    assert receiver.ids == [f"msg_{sound}.{sold[sound].id.position}"]
    assert "cannot be read" in str(Webhooks(sale.database).get(webhook.id).error)
    assert webhook.secret not in repr(sender)
