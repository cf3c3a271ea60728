"""Sends webhook messages: for each endpoint one greenlet, which goes on behind its cursors in SQL.

A cursor moves after its messages were delivered, so a sender that is killed sends some of them again, under the same
ids, and skips none. A claim on the endpoint keeps two senders from working side by side; should they do so all the
same, the second to move a cursor notices, and begins again where the cursor is.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import gevent
import structlog
from gevent import Greenlet
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.actor import Actor
from seating.domain.errors import RecordUnavailable
from seating.domain.webhook import DeliveryCursor, Failing, Webhook
from seating.domain.webhook_message import signed_headers
from seating.services.audit import act_now
from seating.services.webhook_messages import Step, WebhookMessages
from seating.storage import audit, webhook_cursors, webhook_notices, webhooks
from seating.storage.database import Database
from seating.upstream.webhook_client import DeliveryFailed, ReceiverConnection, WebhookClient

_TURN_ENTRIES: Final = 100
"""How many entries of one event an endpoint gets before it is the turn of another event."""
_TURN_CURSORS: Final = 100
_SAVE_EVERY_S: Final = 0.5
"""A sender that is killed sends at most the messages of that time again."""
_CLAIM_MARGIN_S: Final = 1.0
"""How long a claim lasts beyond the time for one message. Another sender takes over when it has passed."""
_LOOK_FOR_LOSSES_S: Final = 2.0
_SYSTEM: Final = Actor("seating")

_log = structlog.get_logger(__name__)


class _Stopped(Exception):
    """The endpoint is paused or gone, another sender has it, its cursor was moved, or this sender stops."""


@dataclass(slots=True)
class WebhookSender:
    """`retry_s` is how long an endpoint may fail before it is paused."""

    database: Database
    messages: WebhookMessages
    client: WebhookClient
    retry_s: float
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    _active: dict[str, Webhook] = field(default_factory=dict, repr=False)  # With secrets; gevent logs its greenlets.
    _busy: "dict[str, Greenlet[..., None]]" = field(default_factory=dict)
    _claimed_until_s: dict[str, float] = field(default_factory=dict)
    _losses_due_s: float = 0.0

    def tick(self) -> None:
        """Set to work all endpoints that have something to be told and are not at work. Raises RecordUnavailable."""
        due, lacking = self.database.read(self._look)
        if lacking:
            self.database.write(webhook_cursors.add, lacking)
        if self._active and time.monotonic() >= self._losses_due_s:
            self._note_losses()
            self._forget_former_secrets()
            self._losses_due_s = time.monotonic() + _LOOK_FOR_LOSSES_S
        self._busy = {webhook_id: work for webhook_id, work in self._busy.items() if not work.ready()}
        for webhook_id in due - self._busy.keys():
            self._busy[webhook_id] = gevent.spawn(self._work, webhook_id)

    def stop(self, within_s: float) -> None:
        """End the turns: those that still wait for a receiver after `within_s` are cut off."""
        # No endpoint is active any more, so each turn stops before its next message.
        self._active = {}
        gevent.joinall([*self._busy.values()], timeout=within_s)
        gevent.killall([*self._busy.values()])
        try:
            # Otherwise the next sender would have to wait until the claims end.
            self.database.write(webhooks.release, self.name)
        except RecordUnavailable as error:
            _log.warning("claims not released", error=str(error.__cause__))

    def _look(self, connection: Connection) -> tuple[set[str], list[dict[str, object]]]:
        self._active = {each.id: each for each in webhooks.all_of(connection) if each.paused_ms is None}
        if not self._active:
            return set(), []
        return webhook_cursors.due_webhooks(connection, _now_ms()), webhook_cursors.lacking(connection)

    def _note_losses(self) -> None:
        if self.database.read(webhook_notices.unknown):
            self.database.write(webhook_notices.note_losses, _now_ms())

    def _forget_former_secrets(self) -> None:
        now_ms = _now_ms()
        if any(each.former_until_ms is not None and each.former_until_ms <= now_ms for each in self._active.values()):
            self.database.write(webhooks.forget_former_secrets, now_ms)

    def _work(self, webhook_id: str) -> None:
        """Deliver to one endpoint until nothing is due."""
        try:
            while cursors := self._due(webhook_id):
                for cursor in cursors:
                    _Turn(self, webhook_id, cursor).run()
        except _Stopped:
            pass
        except (RecordUnavailable, SQLAlchemyError) as error:
            _log.warning("webhook interrupted", webhook=webhook_id, error=str(error.__cause__ or error))
        except Exception as error:  # noqa: BLE001 - gevent would only print it; the next tick tries again
            _log.error("webhook interrupted", webhook=webhook_id, exc_info=error)

    def _due(self, webhook_id: str) -> list[DeliveryCursor]:
        self.hold_claim(webhook_id)
        return self.database.read(webhook_cursors.due, webhook_id, _now_ms(), _TURN_CURSORS)

    def webhook(self, webhook_id: str) -> Webhook:
        """Return an endpoint that gets messages. Raises _Stopped."""
        found = self._active.get(webhook_id)
        if found is None:
            raise _Stopped
        return found

    def hold_claim(self, webhook_id: str) -> None:
        """Make sure that the claim outlasts the next message. Raises _Stopped."""
        # A claim outlasts a pause, which must stop the next message.
        self.webhook(webhook_id)
        now_s, now_ms = time.monotonic(), _now_ms()
        # Renewed only when needed: a write for each message would cost more than the message.
        if now_s + self.client.within_s < self._claimed_until_s.get(webhook_id, 0.0):
            return
        lasts_s = self.client.within_s + _CLAIM_MARGIN_S
        if not self.database.write(webhooks.claim, webhook_id, self.name, now_ms, now_ms + int(lasts_s * 1000)):
            self._claimed_until_s.pop(webhook_id, None)
            raise _Stopped
        self._claimed_until_s[webhook_id] = now_s + lasts_s


@dataclass(slots=True)
class _Turn:
    """A few entries of one event, delivered to one endpoint in their order, until one fails."""

    sender: WebhookSender
    webhook_id: str
    cursor: DeliveryCursor
    _saved_s: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Raises _Stopped, RecordUnavailable."""
        webhook = self.sender.webhook(self.webhook_id)
        try:
            steps = self._read(webhook)
            if any(step.message for step in steps):
                with self.sender.client.connected(webhook.url) as receiver:
                    self._deliver(webhook, steps, receiver)
            elif steps:
                self._reached(steps[-1])
        except DeliveryFailed as error:
            self._fail(error)
            return
        except _Stopped:
            # Or what has been delivered would be sent again.
            self._save()
            raise
        except (RecordUnavailable, SQLAlchemyError):
            raise
        except Exception as error:  # noqa: BLE001 - the next tick would send what has been delivered again, and again
            _log.error("webhook message not sent", event_id=self.cursor.event_id, exc_info=error)
            self._fail(DeliveryFailed("the message could not be sent"))
            return
        self._save()

    def _read(self, webhook: Webhook) -> list[Step]:
        try:
            return self.sender.messages.after(self.cursor, webhook.wants, _TURN_ENTRIES)
        except (RecordUnavailable, SQLAlchemyError, _Stopped):
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it must hold up this event alone
            # Skipping it would hide a change.
            _log.error("webhook message not written", event_id=self.cursor.event_id, exc_info=error)
            raise DeliveryFailed("the entry behind it cannot be read") from None

    def _deliver(self, webhook: Webhook, steps: list[Step], receiver: ReceiverConnection) -> None:
        for step in steps:
            if step.message:
                self.sender.hold_claim(self.webhook_id)
                now_ms = _now_ms()
                secrets_now = webhook.secrets_at(now_ms)
                headers = signed_headers(secrets_now, step.message.id, now_ms // 1000, step.message.body)
                receiver.send(step.message, headers)
                # Accepted, so the receiver works again, whatever comes next.
                self.cursor = self.cursor._replace(failing=None)
            self._reached(step)
            if time.monotonic() - self._saved_s > _SAVE_EVERY_S:
                self._save()

    def _reached(self, step: Step) -> None:
        self.cursor = self.cursor._replace(seq=step.seq, notice=step.notice)

    def _save(self, also: Callable[[Connection], object] | None = None) -> None:
        def write(connection: Connection) -> DeliveryCursor | None:
            if also:
                webhooks.lock(connection, self.webhook_id)
            moved = webhook_cursors.move(connection, self.cursor, _now_ms())
            if moved and also:
                also(connection)
            return moved

        moved = self.sender.database.write(write)
        # An operator has replayed from elsewhere, or another sender has taken over.
        if moved is None:
            raise _Stopped
        self.cursor, self._saved_s = moved, time.monotonic()

    def _fail(self, error: DeliveryFailed) -> None:
        now_ms, reason = _now_ms(), str(error)
        failing = Failing.after(self.cursor.failing, now_ms, reason, error.wait_s)
        self.cursor = self.cursor._replace(failing=failing)
        said = {"webhook": self.webhook_id, "event_id": self.cursor.event_id, "reason": reason}
        if not error.is_final and now_ms - failing.since_ms < self.sender.retry_s * 1000:
            put_off = partial(webhook_cursors.put_off, webhook_id=self.webhook_id, until_ms=failing.next_ms)
            self._save(put_off if error.wait_s else None)
            _log.warning("webhook failed", attempts=failing.attempts, **said)
            if error.wait_s:
                raise _Stopped  # It is the receiver that asks for time, whatever event comes next.
            return
        why = f"nothing of event {self.cursor.event_id} could be delivered for {self.sender.retry_s:,.0f} s: {reason}"
        if error.is_final:
            why = f"the receiver wants no more messages: {reason}"
        act = act_now(_SYSTEM, "webhook.pause", self.cursor.event_id, self.webhook_id, "active", "paused")
        act = act._replace(actor=_SYSTEM._replace(why=why))

        def pause(connection: Connection) -> None:
            if webhooks.pause(connection, self.webhook_id, now_ms, why):
                audit.add(connection, [act])

        self._save(pause)
        _log.error("webhook paused", attempts=failing.attempts, **said)
        raise _Stopped


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
