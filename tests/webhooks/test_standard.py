"""What Standard Webhooks asks of a sender beside signatures: secrets that change, and receivers that ask for less."""

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from seating.services.webhooks import Webhooks
from seating.storage.tables import webhooks
from tests.one_process import OPERATOR, OneProcess
from tests.webhooks import receiver as behaviour
from tests.webhooks.endpoint import add, deliver, new_sender, tick_for
from tests.webhooks.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def event(sale: OneProcess) -> str:
    event = sale.open(10)
    sale.persist(event)
    return event


def test_receivers_have_a_day_to_change_their_secret(sale: OneProcess, receiver: Receiver, event: str) -> None:
    webhook, service = add(sale.database, receiver, event), Webhooks(sale.database)
    sender = new_sender(sale.database)
    secrets = [webhook.secret]

    def signed_by() -> list[bool]:
        """Which of the secrets, the oldest first, have signed the next message; nothing else has."""
        sale.buy(event, f"key-{len(receiver.requests)}")
        sale.persist(event)
        deliver(sender)
        last = receiver.requests[-1]
        found = [last.is_signed(secret) for secret in secrets]
        assert len(last.headers["webhook-signature"].split(" ")) == sum(found)
        return found

    assert signed_by() == [True]
    for expected in ([True, True], [False, True, True]):
        secrets.append(service.rotate(webhook.id, OPERATOR).secret)
        assert signed_by() == expected
    a_day_ago = webhooks.c.former_until_ms - 24 * 3_600_000
    sale.database.write(lambda connection: connection.execute(update(webhooks).values(former_until_ms=a_day_ago)))
    assert signed_by() == [False, False, True]


def test_a_receiver_that_asks_for_time_gets_it(sale: OneProcess, receiver: Receiver, event: str) -> None:
    """Up to the longest wait: a receiver cannot put itself off for days."""
    webhook, service = add(sale.database, receiver, event), Webhooks(sale.database)
    sender = new_sender(sale.database, within_s=20)
    sale.buy(event, "key")
    sale.persist(event)
    for tries, (asked_s, wait_s) in enumerate(((100, 100), (90_000, 300)), 1):
        receiver.always = behaviour.status(503, f"Retry-After: {asked_s}\r\n")
        service.resume(webhook.id, OPERATOR)  # Which tries at once.
        tick_for(sender, lambda: service.get(webhook.id).error == "status 503")
        assert len(receiver.requests) == tries
        (found,) = service.cursors(webhook.id, "", 10).items
        assert found.cursor.failing is not None
        waits_ms = found.cursor.failing.next_ms - found.cursor.failing.since_ms
        assert waits_ms == pytest.approx(wait_s * 1000, rel=0.11)


def test_a_receiver_that_is_gone_is_paused_at_once(sale: OneProcess, receiver: Receiver, event: str) -> None:
    receiver.always = behaviour.status(410)
    webhook, service = add(sale.database, receiver, event), Webhooks(sale.database)
    sender = new_sender(sale.database, retry_s=600, within_s=20)
    sold = sale.buy(event, "key")
    sale.persist(event)
    tick_for(sender, lambda: service.get(webhook.id).state == "paused")
    assert service.get(webhook.id).webhook.paused_why == "the receiver wants no more messages: status 410"
    assert len(receiver.requests) == 1
    receiver.always = behaviour.ok
    service.resume(webhook.id, OPERATOR)
    deliver(sender)
    assert receiver.ids == [f"msg_{event}.{sold.id.position}"]
