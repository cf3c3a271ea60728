"""How deliveries fare, as `/ready`, the metrics and `seating doctor` say: endpoints that fail, and those left alone."""

import time
from collections.abc import Iterator

import pytest

from seating.services.webhooks import Webhooks
from seating.storage import webhook_cursors, webhooks
from seating.storage.webhook_cursors import WebhookSight
from tests.one_process import OPERATOR, OneProcess
from tests.webhooks import receiver as behaviour
from tests.webhooks.endpoint import add, deliver, new_sender, tick_for
from tests.webhooks.receiver import Receiver

_LONG_S = 600.0
"""A claim lasts as long as a message may take: no slow machine outlasts that."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


def _look(sale: OneProcess) -> WebhookSight:
    return sale.database.read(webhook_cursors.look, time.time_ns() // 1_000_000)


def _sell(sale: OneProcess, event: str, key: str) -> None:
    sale.buy(event, key)
    sale.persist(event)


def _sight(
    active: int = 1, paused: int = 0, unattended: int = 0, lag: int = 0, failing: int = 0, since_ms: int | None = None
) -> WebhookSight:
    return WebhookSight(active, paused, unattended, lag, failing, since_ms)


def test_an_endpoint_is_unattended_while_no_sender_has_it(sale: OneProcess, receiver: Receiver) -> None:
    assert _look(sale) == _sight(active=0)
    event = sale.open(10)
    sale.persist(event)
    add(sale.database, receiver, event)
    assert _look(sale) == _sight(), "nothing is due"
    _sell(sale, event, "first")
    assert _look(sale) == _sight(unattended=1, lag=1)
    sender = new_sender(sale.database, within_s=_LONG_S)
    deliver(sender)
    assert _look(sale) == _sight()
    _sell(sale, event, "second")
    assert _look(sale) == _sight(lag=1), "its sender is at work"
    sender.stop(5)
    assert _look(sale) == _sight(unattended=1, lag=1)


def test_a_new_event_is_due_before_a_sender_has_seen_it(sale: OneProcess, receiver: Receiver) -> None:
    add(sale.database, receiver)
    event = sale.open(10)
    sale.persist(event)
    assert _look(sale) == _sight(unattended=1)
    deliver(new_sender(sale.database, within_s=_LONG_S))
    assert _look(sale) == _sight()


def test_an_endpoint_fails_until_an_operator_acts(sale: OneProcess, receiver: Receiver) -> None:
    receiver.always = behaviour.status(503)
    event = sale.open(10)
    sale.persist(event)
    webhook = add(sale.database, receiver, event)
    service = Webhooks(sale.database)
    _sell(sale, event, "first")
    before_ms = time.time_ns() // 1_000_000
    sender = new_sender(sale.database, retry_s=_LONG_S, within_s=_LONG_S)
    tick_for(sender, lambda: _look(sale).failing)
    since_ms = _look(sale).failing_since_ms
    assert since_ms is not None
    assert before_ms <= since_ms <= time.time_ns() // 1_000_000
    assert _look(sale) == _sight(lag=1, failing=1, since_ms=since_ms)
    sale.database.write(lambda connection: webhooks.pause(connection, webhook.id, before_ms, "as the sender does"))
    assert _look(sale) == _sight(active=0, paused=1, failing=1, since_ms=since_ms)
    service.pause(webhook.id, OPERATOR)
    assert _look(sale) == _sight(active=0, paused=1)
    receiver.always = behaviour.ok
    service.resume(webhook.id, OPERATOR)
    deliver(sender)
    assert _look(sale) == _sight()
    service.remove(webhook.id, OPERATOR)
    assert _look(sale) == _sight(active=0)
