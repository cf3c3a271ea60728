"""Operators' use of webhooks: add, list, pause, resume, rotate, replay and remove endpoints."""

import time
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from sqlalchemy import Connection, select

from seating.domain.actor import Actor
from seating.domain.errors import EventNotFound, InvalidRequest, TooManyWebhooks, WebhookNotFound
from seating.domain.page import Page, first_of
from seating.domain.position import Position
from seating.domain.webhook import (
    CursorReport,
    Target,
    Webhook,
    check_types,
    check_url,
    new_webhook_id,
)
from seating.domain.webhook_message import new_secret
from seating.services.audit import act_now
from seating.storage import audit, events, webhook_cursors, webhook_notices, webhooks
from seating.storage.database import Database
from seating.storage.tables import ledger

_FORMER_SECRET_MS: Final = 24 * 3_600_000
"""For how long the secret before signs too: receivers change theirs meanwhile."""


class WebhookReport(NamedTuple):
    """An endpoint, how many entries it has not been told yet, since when deliveries fail (ms since 1970), and why."""

    webhook: Webhook
    lag: int
    failing_since_ms: int | None
    error: str | None

    @property
    def state(self) -> Literal["active", "paused"]:
        return "active" if self.webhook.paused_ms is None else "paused"


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Raises RecordUnavailable."""

    database: Database

    def add(self, url: str, event_id: str | None, types: list[str], by: Actor, *, allow_private: bool) -> Webhook:
        """Add an endpoint, which is told what happens from now on, of one event or of all.

        Raises InvalidRequest, EventNotFound, TooManyWebhooks.
        """
        target = check_url(url, allow_private=allow_private)
        act = act_now(by, "webhook.add", event_id, None, None, target.authority)
        webhook = Webhook(new_webhook_id(), url, new_secret(), act.at_ms, event_id, check_types(types))

        def insert(connection: Connection) -> None:
            if event_id is not None and events.find(connection, event_id) is None:
                raise EventNotFound
            if not webhooks.add(connection, webhook):
                raise TooManyWebhooks
            # Losses are looked for while there are endpoints. One from before is no news to this one.
            webhook_notices.note_losses(connection, act.at_ms)
            webhook_cursors.begin(connection, webhook.id, event_id)
            audit.add(connection, [act._replace(target=webhook.id)])

        self.database.write(insert)
        return webhook

    def get(self, webhook_id: str) -> WebhookReport:
        """Raises WebhookNotFound."""
        # There are few endpoints, so one query serves all these questions.
        for found in self.all():
            if found.webhook.id == webhook_id:
                return found
        raise WebhookNotFound

    def all(self) -> list[WebhookReport]:
        """Return all endpoints, oldest first."""

        def read(connection: Connection) -> list[WebhookReport]:
            totals = webhook_cursors.totals(connection)
            return [WebhookReport(each, *totals.get(each.id, (0, None, None))) for each in webhooks.all_of(connection)]

        return self.database.read(read)

    def page(self, offset: int, count: int) -> Page[WebhookReport, int]:
        """Return at most `count` endpoints after the first `offset`."""
        return first_of(self.all()[offset : offset + count + 1], count, lambda _: offset + count)

    def cursors(self, webhook_id: str, after_event: str, count: int) -> Page[CursorReport, str]:
        """Return at most `count` of an endpoint's cursors, in order of event ids. Raises WebhookNotFound."""

        def read(connection: Connection) -> list[CursorReport]:
            _find(connection, webhook_id)
            return webhook_cursors.page(connection, webhook_id, after_event, count + 1)

        return first_of(self.database.read(read), count, lambda found: found.cursor.event_id)

    def pause(self, webhook_id: str, by: Actor) -> None:
        """Stop deliveries to an endpoint. Repeating it changes nothing. Raises WebhookNotFound."""
        why = f"paused by {by.name}" + (f": {by.why}" if by.why else "")

        def write(connection: Connection) -> None:
            webhook = _find(connection, webhook_id)
            webhooks.lock(connection, webhook_id)
            # An operator knows of its failures: they count, and are alerted, anew once it is resumed.
            webhook_cursors.retry_now(connection, webhook_id)
            if webhooks.pause(connection, webhook_id, _now_ms(), why):
                act = act_now(by, "webhook.pause", webhook.event_id, webhook_id, "active", "paused")
                audit.add(connection, [act])

        self.database.write(write)

    def resume(self, webhook_id: str, by: Actor) -> None:
        """Go on with deliveries where they stopped; try at once what failed. Raises WebhookNotFound."""

        def write(connection: Connection) -> None:
            webhook = _find(connection, webhook_id)
            webhooks.lock(connection, webhook_id)
            # Even if it was not paused: an operator has repaired the receiver.
            webhook_cursors.retry_now(connection, webhook_id)
            if webhooks.resume(connection, webhook_id):
                act = act_now(by, "webhook.resume", webhook.event_id, webhook_id, "paused", "active")
                audit.add(connection, [act])

        self.database.write(write)

    def rotate(self, webhook_id: str, by: Actor) -> WebhookReport:
        """Give an endpoint a new secret. The one that it had signs beside it for a day.

        Within that day, the one that signs already goes on doing so instead: nobody may know the last one, whose
        response was lost. Raises WebhookNotFound.
        """
        secret = new_secret()

        def write(connection: Connection) -> WebhookReport:
            webhook = _find(connection, webhook_id)
            act = act_now(by, "webhook.rotate", webhook.event_id, webhook_id)
            webhooks.set_secret(connection, webhook_id, secret, act.at_ms, act.at_ms + _FORMER_SECRET_MS)
            audit.add(connection, [act])
            totals = webhook_cursors.totals(connection)
            return WebhookReport(_find(connection, webhook_id), *totals.get(webhook_id, (0, None, None)))

        return self.database.write(write)

    def remove(self, webhook_id: str, by: Actor) -> None:
        """Remove an endpoint. Raises WebhookNotFound."""

        def write(connection: Connection) -> None:
            webhook = _find(connection, webhook_id)
            if not webhooks.remove(connection, webhook_id):
                raise WebhookNotFound
            host = Target.parse(webhook.url).authority
            audit.add(connection, [act_now(by, "webhook.remove", webhook.event_id, webhook_id, host)])

        self.database.write(write)

    def replay(self, webhook_id: str, event_id: str, since: str | None, by: Actor) -> None:
        """Tell an endpoint again what happened in an event after a position, or all of it.

        Raises WebhookNotFound, EventNotFound, InvalidRequest for a position that the record does not have.
        """

        def write(connection: Connection) -> None:
            _find(connection, webhook_id)
            if events.find(connection, event_id) is None:
                raise EventNotFound
            seq = _seq_of(connection, event_id, since) if since is not None else 0
            notice = webhook_notices.before(connection, event_id, seq) if since is not None else 0
            if not webhook_cursors.go_back(connection, webhook_id, event_id, seq, notice):
                raise InvalidRequest("EventId is of an event that this webhook is not told of", "eventId")
            after = f"since {since}" if since is not None else "all"
            audit.add(connection, [act_now(by, "webhook.replay", event_id, webhook_id, None, after)])

        self.database.write(write)


def _find(connection: Connection, webhook_id: str) -> Webhook:
    found = webhooks.find(connection, webhook_id)
    if found is None:
        raise WebhookNotFound
    return found


def _seq_of(connection: Connection, event_id: str, since: str) -> int:
    try:
        epoch, seq = Position.parse(since)
    except ValueError:
        raise InvalidRequest("Since must be a position, <epoch>-<seq>", "since") from None
    here = (ledger.c.event_id == event_id, ledger.c.epoch == epoch, ledger.c.seq == seq)
    if connection.execute(select(ledger.c.seq).where(*here)).first() is None:
        raise InvalidRequest("Since is no position in the record of this event", "since")
    return seq


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
