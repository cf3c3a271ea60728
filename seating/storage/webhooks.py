"""The endpoints of webhooks."""

from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, or_, select, update

from seating.domain.webhook import MAX_WEBHOOKS, Webhook
from seating.storage.tables import webhook_cursors, webhooks

_COLUMNS = tuple(webhooks.c[name] for name in Webhook._fields)


def add(connection: Connection, webhook: Webhook) -> bool:
    """Insert an endpoint; return False if there are `MAX_WEBHOOKS` already."""
    row = webhook._asdict() | {"types": ",".join(webhook.types)}
    connection.execute(insert(webhooks).values(row))
    # Counted after the insertion. On Postgres, two at once may still exceed the limit by one.
    return (connection.execute(select(func.count()).select_from(webhooks)).scalar() or 0) <= MAX_WEBHOOKS


def find(connection: Connection, webhook_id: str) -> Webhook | None:
    row = connection.execute(select(*_COLUMNS).where(webhooks.c.id == webhook_id)).one_or_none()
    return _webhook(row) if row else None


def all_of(connection: Connection) -> list[Webhook]:
    """Return all endpoints, oldest first."""
    return [
        _webhook(row) for row in connection.execute(select(*_COLUMNS).order_by(webhooks.c.created_ms, webhooks.c.id))
    ]


def lock(connection: Connection, webhook_id: str) -> None:
    """Let nobody else change an endpoint, or add a cursor of it, until the transaction ends.

    Call it before changing several rows of an endpoint and its cursors, or two may deadlock. SQLite has one writer
    anyway.
    """
    connection.execute(select(webhooks.c.id).where(webhooks.c.id == webhook_id).with_for_update())


def pause(connection: Connection, webhook_id: str, now_ms: int, why: str) -> bool:
    """Pause an endpoint; return False if it is paused already, or gone."""
    here = (webhooks.c.id == webhook_id, webhooks.c.paused_ms.is_(None))
    return connection.execute(update(webhooks).where(*here).values(paused_ms=now_ms, paused_why=why)).rowcount == 1


def resume(connection: Connection, webhook_id: str) -> bool:
    """Let an endpoint have messages again; return False if it has them, or is gone."""
    here = (webhooks.c.id == webhook_id, webhooks.c.paused_ms.is_not(None))
    return connection.execute(update(webhooks).where(*here).values(paused_ms=None, paused_why=None)).rowcount == 1


def set_secret(connection: Connection, webhook_id: str, secret: str, now_ms: int, former_until_ms: int) -> None:
    """Give an endpoint another secret, and keep the one that it had, or the one before that if it still signs."""
    # The response to an earlier rotation may have been lost: then the receiver knows only the secret before it.
    former_signs = webhooks.c.former_until_ms > now_ms
    former = case((former_signs, webhooks.c.former_secret), else_=webhooks.c.secret)
    values = {"secret": secret, "former_secret": former, "former_until_ms": former_until_ms}
    connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(values))


def forget_former_secrets(connection: Connection, now_ms: int) -> None:
    """Remove secrets that sign no more."""
    ended = webhooks.c.former_until_ms <= now_ms
    connection.execute(update(webhooks).where(ended).values(former_secret=None, former_until_ms=None))


def remove(connection: Connection, webhook_id: str) -> bool:
    """Remove an endpoint with its cursors; return False if it is gone."""
    # Otherwise a sender could add a cursor in between, and the endpoint could not go.
    lock(connection, webhook_id)
    connection.execute(delete(webhook_cursors).where(webhook_cursors.c.webhook_id == webhook_id))
    return connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id)).rowcount == 1


def claim(connection: Connection, webhook_id: str, sender: str, now_ms: int, until_ms: int) -> bool:
    """Claim an endpoint that has messages for one sender, or prolong its claim; return False if another has it."""
    free = or_(webhooks.c.claimed_by.is_(None), webhooks.c.claimed_by == sender, webhooks.c.claimed_until_ms <= now_ms)
    here = (webhooks.c.id == webhook_id, webhooks.c.paused_ms.is_(None), free)
    values = {"claimed_by": sender, "claimed_until_ms": until_ms}
    return connection.execute(update(webhooks).where(*here).values(values)).rowcount == 1


def release(connection: Connection, sender: str) -> None:
    """Give up all claims of a sender that stops."""
    connection.execute(update(webhooks).where(webhooks.c.claimed_by == sender).values(claimed_by=None))


def _webhook(row: Any) -> Webhook:
    return Webhook(**dict(row._mapping) | {"types": tuple(filter(None, row.types.split(",")))})
