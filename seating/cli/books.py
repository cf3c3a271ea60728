"""Looking into the books of events, and mending them."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import click

from seating.cli import prepared
from seating.domain.event import parse_event_id
from seating.domain.purchase import Purchase
from seating.runtime import BackgroundServices, background_services
from seating.storage.quarantine import Aside
from seating.telemetry import logs

_PAGE = 1_000


of_event = click.argument("event_id", metavar="EVENT", type=parse_event_id)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("event_ids", metavar="[EVENT]...", nargs=-1, type=parse_event_id)
@as_json
def reconcile(event_ids: tuple[str, ...], as_json: bool) -> None:
    """Compare Redis, log, ledger and purchases of events, all by default. Status 1 if anything differs."""
    books = _services().books
    findings = [finding for event_id in event_ids or books.event_ids() for finding in books.reconcile(event_id)]
    _print(
        [finding._asdict() for finding in findings],
        "{event_id}: {what}; {advice}",
        as_json,
        nothing="the books are right",
    )
    sys.exit(1 if findings else 0)


@click.command()
@of_event
@as_json
def verify(event_id: str, as_json: bool) -> None:
    """Recompute an event's hash chain from its first entry to its last. Status 1 if it is broken."""
    found = _services().books.verify(event_id)
    form = "{entries} entries, the chain is whole" if found.broken is None else "after {entries} entries: {broken}"
    _print([found._asdict()], form, as_json)
    sys.exit(0 if found.broken is None else 1)


@click.command()
@of_event
@click.argument("seat_id", metavar="SEAT")
@as_json
def history(event_id: str, seat_id: str, as_json: bool) -> None:
    """Who had a seat when."""
    changes = _services().books.history(event_id, seat_id)
    rows = [{"at": _moment(change.at_ms), **change._asdict()} for change in changes]
    _print(rows, "{at}  {position:12} {what:22} {purchase_id}", as_json, nothing="nobody ever had it")


@click.command()
@of_event
@as_json
def rebuild(event_id: str, as_json: bool) -> None:
    """Make an event's inventory again of what SQL has. Its sale stops for as long as that takes."""
    services = _services()
    if services.events.get(event_id).counts:  # What it has and SQL has not is recorded first.
        services.persistence.run(event_id)
    position = services.rebuild.run(event_id, "asked for by the operator", close=True)
    _print([{"event_id": event_id, "position": str(position)}], "rebuilt; its log goes on from {position}", as_json)


@click.command()
@of_event
def export(event_id: str) -> None:
    """An event's purchases as CSV, newest first."""
    columns = ("purchase_id", "state", "purchased_at", "quantity", "seats", "reference")
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    pages = _pages(_services(), event_id)
    first = next(pages)  # Before anything is written: there may be no such event.
    writer.writeheader()
    for purchase in chain(first, chain.from_iterable(pages)):
        writer.writerow(
            {
                "purchase_id": purchase.id,
                "state": purchase.state,
                "purchased_at": _moment(purchase.at_ms),
                "quantity": purchase.quantity,
                "seats": " ".join(purchase.seats),
                "reference": purchase.reference or "",
            }
        )


@click.group()
def quarantine() -> None:
    """Entries that SQL refused, or that belong to another history."""


@quarantine.command("list")
@click.argument("event_id", metavar="[EVENT]", required=False, type=parse_event_id)
@as_json
def list_quarantine(event_id: str | None, as_json: bool) -> None:
    """What waits for the operator."""
    rows = [
        {
            "event_id": aside.event_id,
            "position": str(aside.entry.position),
            "reason": aside.reason,
            "error": aside.words,
            "change": aside.entry.change,
        }
        for aside in _waiting(_services(), event_id)
    ]
    _print(rows, "{event_id} {position} {reason}: {error}\n    {change}", as_json, nothing="quarantine is empty")


@quarantine.command("replay")
@of_event
@click.argument("position", metavar="POSITION")
def replay(event_id: str, position: str) -> None:
    """Take an entry after all."""
    _services().quarantine.replay(event_id, position)
    click.echo("taken")


@quarantine.command("cancel")
@of_event
@click.argument("position", metavar="POSITION")
def cancel(event_id: str, position: str) -> None:
    """Take an entry back: a purchase is cancelled, anything else put to rest."""
    _services().quarantine.cancel(event_id, position)
    click.echo("taken back")


def _services() -> BackgroundServices:
    settings = prepared.settings_with_redis()
    # Standard output is for what was asked, which a program may read.
    logs.configure(settings.log_level, settings.log_format, sys.stderr)
    return background_services(settings, patient=True)


def _pages(services: BackgroundServices, event_id: str) -> Iterator[list[Purchase]]:
    below_seq: int | None = None
    while True:
        page = services.purchases.page(event_id, below_seq, _PAGE)
        yield page.items
        below_seq = page.next
        if below_seq is None:
            return


def _waiting(services: BackgroundServices, event_id: str | None) -> Iterator[Aside]:
    offset: int | None = 0
    while offset is not None:
        page = services.quarantine.page(event_id, offset, _PAGE)
        yield from page.items
        offset = page.next


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _print(rows: Iterable[Mapping[str, Any]], form: str, as_json: bool, nothing: str = "") -> None:
    rows = list(rows)
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=2))
        return
    for row in rows:
        click.echo(form.format(**row))
    if not rows:
        click.echo(nothing)


COMMANDS: tuple[click.Command, ...] = (reconcile, verify, history, rebuild, export, quarantine)
