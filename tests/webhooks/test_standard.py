"""What Standard Webhooks asks of a sender beside signatures: secrets that change, and receivers that ask for less."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import select, update

from seating.services.webhooks import Webhooks
from seating.storage.tables import webhook_cursors, webhooks
from seating.upstream.webhook_client import wait_s
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
    # What the second one answers may have been lost, and the receiver know the first one alone.
    for expected in ([True, True], [True, False, True]):
        secrets.append(service.rotate(webhook.id, OPERATOR).webhook.secret)
        assert signed_by() == expected
    a_day_ago = webhooks.c.former_until_ms - 24 * 3_600_000
    sale.database.write(lambda connection: connection.execute(update(webhooks).values(former_until_ms=a_day_ago)))
    assert signed_by() == [False, False, True]
    new_sender(sale.database).tick()
    assert service.get(webhook.id).webhook.former_secret is None


def test_a_receiver_that_asks_for_time_gets_it(sale: OneProcess, receiver: Receiver, event: str) -> None:
    """From all events, up to the longest wait: a receiver cannot put itself off for days."""
    webhook, service = add(sale.database, receiver), Webhooks(sale.database)
    for each in (event, sale.open(10)):
        sale.buy(each, "key")
        sale.persist(each)
    for tries, (asked_s, waited_s) in enumerate(((100, 100), (90_000, 300), (10**12, 300)), 1):
        receiver.always = behaviour.status(503, f"Retry-After: {asked_s}\r\n")
        service.resume(webhook.id, OPERATOR)  # Which tries at once.
        sender = new_sender(sale.database, within_s=20)
        tick_for(sender, lambda: service.get(webhook.id).error == "status 503")
        sender.stop(within_s=20)
        assert len(receiver.requests) == tries
        since_ms = service.get(webhook.id).failing_since_ms
        assert since_ms is not None
        next_ms = sale.database.read(lambda connection: connection.scalars(select(webhook_cursors.c.next_ms)).all())
        assert next_ms == [since_ms + 1000 * waited_s] * 2


def test_a_date_until_which_to_wait() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    for written in (soon, soon.replace("GMT", "-0000")):
        assert 58 <= wait_s(written) <= 61
    for asked in (
        "",
        "soon",
        "-5",
        "1e3",
        format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True),
        "x" * 10_000,
        "1 Jan 99999999999999 00:00:00 +0000",
        "1 Jan 2026 00:00:00 +99999999999999",
    ):
        assert wait_s(asked) == 0


def test_a_date_beyond_all_dates(sale: OneProcess, receiver: Receiver, event: str) -> None:
    """It asks for no wait, whatever its status is."""
    webhook, service = add(sale.database, receiver, event), Webhooks(sale.database)
    date = "Retry-After: 1 Jan 99999999999999 00:00:00 +0000\r\n"
    receiver.answers = [behaviour.status(200, date)] * 3
    sold = [sale.buy(event, f"key-{number}") for number in range(3)]
    sale.persist(event)
    sender = new_sender(sale.database, within_s=20)
    deliver(sender)
    assert [received.id for received in receiver.requests] == [f"msg_{event}.{one.id.position}" for one in sold]
    receiver.always = behaviour.status(500, date)
    sale.buy(event, "key")
    sale.persist(event)
    tick_for(sender, lambda: service.get(webhook.id).failing_since_ms is not None)
    assert service.get(webhook.id).error == "status 500"
    assert len(receiver.requests) == 4


def test_a_fault_of_ours_puts_off_its_event(sale: OneProcess, receiver: Receiver, event: str) -> None:
    """Here a secret that is damaged: without a wait, it would be tried with each tick."""
    webhook, service = add(sale.database, receiver, event), Webhooks(sale.database)
    damaged = update(webhooks).values(secret="whsec_x")
    sale.database.write(lambda connection: connection.execute(damaged))
    sale.buy(event, "key")
    sale.persist(event)
    tick_for(new_sender(sale.database, within_s=20), lambda: service.get(webhook.id).failing_since_ms is not None)
    assert service.get(webhook.id).error == "the message could not be sent"
    assert receiver.requests == []


def test_an_operators_pause_forgets_failures(sale: OneProcess, receiver: Receiver, event: str) -> None:
    """Nobody is alerted of a receiver that was paused for work on it."""
    webhook, service = add(sale.database, receiver, event), Webhooks(sale.database)
    receiver.always = behaviour.status(503)
    sale.buy(event, "key")
    sale.persist(event)
    tick_for(new_sender(sale.database, within_s=20), lambda: service.get(webhook.id).failing_since_ms is not None)
    service.pause(webhook.id, OPERATOR)
    assert service.get(webhook.id).failing_since_ms is None


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
