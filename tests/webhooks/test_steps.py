"""What a cursor meets on its way to the end of the record: quarantine, merges, replays. Nothing is sent here."""

import time

import pytest

from seating.domain.seating_plan import GeneratedPlan, generate
from seating.domain.webhook import Webhook
from seating.runtime import webhook_messages
from seating.services.webhooks import Webhooks
from seating.storage import webhook_cursors, webhook_notices
from seating.storage.answered import Loss
from seating.storage.tables import ledger
from tests.books.test_cancel import poison
from tests.one_process import OPERATOR, OneProcess
from tests.terms.backups import backup, restore, trim

_PLAN = generate(GeneratedPlan(sections=1, rows=2, seatsPerRow=6))


def _add(sale: OneProcess, event: str) -> Webhook:
    return Webhooks(sale.database).add("https://shop.example/", event, [], OPERATOR, allow_private=False)


def _walk(sale: OneProcess, webhook: Webhook, count: int = 100) -> list[str]:
    """The types of the messages of a sender that takes `count` entries a turn, until nothing is due."""
    messages, found = webhook_messages(sale.database), []
    for _ in range(20):
        due = sale.database.read(webhook_cursors.due, webhook.id, time.time_ns() // 1_000_000, 1)
        if not due:
            return found
        (cursor,) = due
        steps = messages.after(cursor, webhook.wants, count)
        assert len(steps) < 2 * count, "a turn is bounded"
        found += [step.message.type for step in steps if step.message]
        for step in steps:
            cursor = cursor._replace(seq=step.seq, notice=step.notice)
        assert sale.database.write(webhook_cursors.move, cursor, 0)
    pytest.fail("something is always due")


def test_the_last_entry_is_in_quarantine(sale: OneProcess) -> None:
    event = sale.open(plan=_PLAN)
    webhook = _add(sale, event)
    first = sale.buy(event, "first")
    receipt = sale.buy(event, "aside")
    poison(sale, event, _PLAN.seats_of(receipt.runs)[0])
    sale.persist(event)
    assert _walk(sale, webhook) == ["purchase.sold"]
    assert sale.database.read(webhook_cursors.totals)[webhook.id][0] == 0
    (report,) = sale.database.read(webhook_cursors.page, webhook.id, "", 10)
    assert report.cursor.seq == receipt.id.position.seq
    assert report.position == first.id.position, "the last one in the ledger"


def test_a_replay_does_not_go_forward(sale: OneProcess) -> None:
    event = sale.open(10)
    webhook = _add(sale, event)
    receipts = [sale.buy(event, f"key-{number}") for number in range(3)]
    sale.persist(event)
    Webhooks(sale.database).replay(webhook.id, event, str(receipts[1].id.position), OPERATOR)
    assert _walk(sale, webhook) == ["purchase.sold"] * 3


def _merge(sale: OneProcess) -> Webhook:
    """Let SQL lose five purchases, and half of one of them, and get them back by a merge."""
    event = sale.open(20)
    webhook = _add(sale, event)
    older = backup(sale.database)
    receipts = [sale.buy(event, f"key-{number}", 2) for number in range(5)]
    sale.cancel_part(receipts[3], 1)
    sale.persist(event)
    trim(sale, event)
    restore(sale.database, older)
    sale.persist(event)
    sale.merge.run(event, "redis", OPERATOR)
    sale.persist(event)
    return webhook


def _replay(sale: OneProcess, webhook: Webhook, event: str, number: int) -> None:
    """Tell again what follows an entry of the ledger."""
    row = sale.rows(ledger, event)[number]
    Webhooks(sale.database).replay(webhook.id, event, f"{row.epoch}-{row.seq}", OPERATOR)


def test_a_replay_has_what_a_merge_did_beside_the_ledger(sale: OneProcess) -> None:
    webhook = _merge(sale)
    assert webhook.event_id
    told = [*["purchase.sold"] * 5, "event.state", "purchase.cancelled"]
    _replay(sale, webhook, webhook.event_id, -1)  # Not forward, of notices either.
    assert _walk(sale, webhook) == told
    _replay(sale, webhook, webhook.event_id, 0)
    assert _walk(sale, webhook) == told


def test_a_replay_has_the_losses_behind_its_position(sale: OneProcess) -> None:
    event = sale.open(10)
    webhook = _add(sale, event)
    first, lost = (sale.buy(event, key).id.position for key in ("first", "lost"))
    sale.persist(event)
    sale.database.write(webhook_notices.note_loss, Loss(event, lost, lost, 1), 0)
    assert _walk(sale, webhook) == ["loss", "purchase.sold", "purchase.sold"]
    Webhooks(sale.database).replay(webhook.id, event, str(first), OPERATOR)
    assert _walk(sale, webhook) == ["loss", "purchase.sold"]
    Webhooks(sale.database).replay(webhook.id, event, str(lost), OPERATOR)
    assert _walk(sale, webhook) == []


def test_a_merge_tells_sales_before_cancellations(sale: OneProcess) -> None:
    """Also of more purchases than fit into a turn, and when all is told again."""
    webhook = _merge(sale)
    told = [*["purchase.sold"] * 5, "event.state", "purchase.cancelled"]
    assert _walk(sale, webhook, 2) == told
    (report,) = sale.database.read(webhook_cursors.page, webhook.id, "", 1)
    Webhooks(sale.database).replay(webhook.id, report.cursor.event_id, None, OPERATOR)
    assert _walk(sale, webhook, 2) == ["event.state", *told]
