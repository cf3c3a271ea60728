"""A new secret signs beside the former one, until that one's day is over."""

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from seating.services.webhooks import Webhooks
from seating.storage.tables import webhooks
from tests.one_process import OPERATOR, OneProcess
from tests.webhooks.endpoint import add, deliver, new_sender
from tests.webhooks.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


def test_receivers_have_a_day_to_change_their_secret(sale: OneProcess, receiver: Receiver) -> None:
    event = sale.open(10)
    sale.persist(event)
    webhook, service = add(sale.database, receiver, event), Webhooks(sale.database)
    sender = new_sender(sale.database)
    secrets = [webhook.secret]

    def signed_by() -> list[bool]:
        """Which of the secrets, the oldest first, have signed the next message, and nothing else has."""
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
