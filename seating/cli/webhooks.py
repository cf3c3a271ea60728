"""Commands that add, list, pause, replay and remove webhooks. They need the database alone."""

from typing import Any, Final

import click

from seating.cli import acting, startup_checks
from seating.cli.printing import as_json, print_rows, print_table
from seating.config import Settings
from seating.domain.errors import SeatingError
from seating.domain.event import parse_event_id
from seating.domain.timestamps import rfc3339
from seating.domain.webhook import TYPES, parse_webhook_id
from seating.services.webhooks import WebhookReport, Webhooks
from seating.storage.database import Database

_COLUMNS: Final = {
    "id": "ID",
    "state": "STATE",
    "lag": "LEFT",
    "url": "URL",
    "event_id": "EVENT",
    "types": "TYPES",
    "paused_why": "PAUSED BECAUSE",
    "failing_since": "FAILING SINCE",
    "error": "ERROR",
}


def _webhook_id(text: str) -> str:
    try:
        return parse_webhook_id(text)
    except SeatingError as error:
        raise click.BadParameter(error.message) from None


of_webhook = click.argument("webhook_id", metavar="WEBHOOK", type=_webhook_id)


@click.group()
def webhooks() -> None:
    """Manage webhook endpoints."""


@webhooks.command()
@click.argument("url")
@click.option("--event", "event_id", metavar="EVENT", type=parse_event_id, help="Only this event; by default all.")
@click.option("--types", metavar="TYPE,TYPE", help=f"Only these messages, of {', '.join(TYPES)}; by default all.")
@acting.why
@as_json
def add(url: str, event_id: str | None, types: str | None, why: str | None, as_json: bool) -> None:
    """Add an endpoint and print its id and its secret. The secret cannot be shown again."""
    settings, service = _service()
    wanted = [name.strip() for name in types.split(",")] if types else []
    allow_private = settings.webhook_allow_private
    added = service.add(url, event_id, wanted, acting.actor(why), allow_private=allow_private)
    print_rows([{"id": added.id, "secret": added.secret}], "{id} {secret}", as_json)


@webhooks.command("list")
@as_json
def list_webhooks(as_json: bool) -> None:
    """List the endpoints, with what they have not been told yet, and why."""
    print_table(map(_row, _service()[1].all()), _COLUMNS, as_json, nothing="there are no webhooks")


@webhooks.command()
@of_webhook
@acting.why
@as_json
def pause(webhook_id: str, why: str | None, as_json: bool) -> None:
    """Stop telling an endpoint. What happens meanwhile waits."""
    _service()[1].pause(webhook_id, acting.actor(why))
    print_rows([{"id": webhook_id}], "paused", as_json)


@webhooks.command()
@of_webhook
@acting.why
@as_json
def resume(webhook_id: str, why: str | None, as_json: bool) -> None:
    """Go on telling an endpoint where it stopped, and try at once what failed."""
    _service()[1].resume(webhook_id, acting.actor(why))
    print_rows([{"id": webhook_id}], "resumed", as_json)


@webhooks.command()
@of_webhook
@acting.why
@as_json
def rotate(webhook_id: str, why: str | None, as_json: bool) -> None:
    """Give an endpoint a new secret and print it, once. The former one signs too for a day."""
    renewed = _service()[1].rotate(webhook_id, acting.actor(why))
    print_rows([{"id": webhook_id, "secret": renewed.webhook.secret}], "{secret}", as_json)


@webhooks.command()
@of_webhook
@acting.why
@as_json
def remove(webhook_id: str, why: str | None, as_json: bool) -> None:
    """Remove an endpoint."""
    _service()[1].remove(webhook_id, acting.actor(why))
    print_rows([{"id": webhook_id}], "removed", as_json)


@webhooks.command()
@of_webhook
@click.option("--event", "event_id", metavar="EVENT", type=parse_event_id, required=True, help="Of which event.")
@click.option("--since", metavar="POSITION", help="Everything after this position; by default all of it.")
@acting.why
@as_json
def replay(webhook_id: str, event_id: str, since: str | None, why: str | None, as_json: bool) -> None:
    """Tell an endpoint again what happened in an event, with the same ids."""
    _service()[1].replay(webhook_id, event_id, since, acting.actor(why))
    print_rows([{"id": webhook_id, "event_id": event_id}], "will be sent again", as_json)


def _service() -> tuple[Settings, Webhooks]:
    settings = startup_checks.operator_settings()
    startup_checks.check_tables(settings)
    return settings, Webhooks(Database(settings.effective_database_url, patient=True))


def _row(found: WebhookReport) -> dict[str, Any]:
    webhook = found.webhook
    return {
        "id": webhook.id,
        "url": webhook.url,
        "event_id": webhook.event_id,
        "types": list(webhook.types),
        "state": found.state,
        "created_at": rfc3339(webhook.created_ms),
        "paused_at": None if webhook.paused_ms is None else rfc3339(webhook.paused_ms),
        "paused_why": webhook.paused_why,
        "lag": found.lag,
        "failing_since": None if found.failing_since_ms is None else rfc3339(found.failing_since_ms),
        "error": found.error,
    }
