"""An endpoint and the sender that serves it, in this process, over the database of a sale."""

from typing import Any

import gevent

from seating.domain.webhook import Webhook
from seating.runtime import webhook_messages
from seating.services.webhook_sender import WebhookSender
from seating.services.webhooks import Webhooks
from seating.storage import webhook_cursors
from seating.storage.database import Database
from seating.upstream.webhook_client import WebhookClient
from tests.one_process import OPERATOR
from tests.servers import wait_until
from tests.webhooks.receiver import Receiver


def add(database: Database, receiver: Receiver, event_id: str | None = None, *types: str, path: str = "/") -> Webhook:
    return Webhooks(database).add(receiver.url(path), event_id, list(types), OPERATOR, allow_private=True)


def new_sender(
    database: Database, retry_s: float = 60, within_s: float = 1.0, kind: type[WebhookSender] = WebhookSender
) -> WebhookSender:
    client = WebhookClient(within_s, allow_private=True)
    return kind(database, webhook_messages(database), client, retry_s)


def is_done(database: Database) -> bool:
    """Whether no endpoint has anything left."""
    return not any(lag for lag, _, _ in database.read(webhook_cursors.totals).values())


def deliver(sender: WebhookSender, within_s: float = 15.0) -> None:
    """Until nothing is left."""

    def look() -> bool:
        sender.tick()
        return is_done(sender.database)

    wait_until(look, within_s, "everything to be delivered")


def tick_for(sender: WebhookSender, condition: Any, within_s: float = 15.0) -> None:
    """Until `condition` is true."""

    def look() -> bool:
        sender.tick()
        gevent.sleep(0)
        return bool(condition())

    wait_until(look, within_s)
