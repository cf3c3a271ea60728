"""Commands that inspect and repair the books of events."""

import sys
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, Final

import click

from seating.cli import acting, startup_checks
from seating.cli.printing import as_json, print_csv, print_rows
from seating.domain.event import parse_event_id
from seating.domain.merging import Preference
from seating.domain.page import all_items
from seating.domain.purchase import Purchase
from seating.domain.sold_as import SoldAs
from seating.services.income import BoxOfficeSale

_PAGE = 1_000
_EXPORTED: Final = (
    *("purchase_id", "state", "purchased_at", "quantity", "seats", "reference", "buyer", "note", "caller"),
    *("categories", "prices", "total", "currency"),
    *("cancelled_at", "cancelled_quantity", "cancelled_seats", "cancelled_total", "cancelled_why"),
)
_MERGED = "merged; SQL took in {taken_in} purchases; the log continues from {position}"


of_event = click.argument("event_id", metavar="EVENT", type=parse_event_id)


@click.command()
@click.argument("event_ids", metavar="[EVENT]...", nargs=-1, type=parse_event_id)
@as_json
def reconcile(event_ids: tuple[str, ...], as_json: bool) -> None:
    """Compare Redis, log, ledger and purchases.

    Of the given events, or of all. Exit status 1 if anything differs.
    """
    books = startup_checks.operator_services().books
    findings = [finding for event_id in event_ids or books.event_ids() for finding in books.reconcile(event_id)]
    print_rows(
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
    """Recompute an event's whole hash chain. Exit status 1 if it is broken."""
    found = startup_checks.operator_services().books.verify(event_id)
    form = "{entries} entries, the chain is intact" if found.broken is None else "after {entries} entries: {broken}"
    print_rows([found._asdict()], form, as_json)
    sys.exit(0 if found.broken is None else 1)


@click.command()
@of_event
@click.argument("seat_id", metavar="SEAT")
@as_json
def history(event_id: str, seat_id: str, as_json: bool) -> None:
    """Show who had a seat, and when."""
    changes = startup_checks.operator_services().books.history(event_id, seat_id)
    rows = [{"at": _moment(change.at_ms), **change._asdict()} for change in changes]
    print_rows(rows, "{at}  {position:12} {what:22} {purchase_id}", as_json, nothing="no history")


@click.command()
@of_event
@click.option("--force", is_flag=True, help="Leave out entries that this version cannot read.")
@acting.why
@as_json
def rebuild(event_id: str, force: bool, why: str | None, as_json: bool) -> None:
    """Rebuild an event's inventory from SQL. Its sale stops meanwhile."""
    services = startup_checks.operator_services()
    if services.events.get(event_id).counts:  # Record first what only Redis has.
        services.persistence.run_now(event_id)
    reason, by = "requested by the operator", acting.actor(why)
    position = services.rebuild.run(event_id, reason, claimable="recorded", force=force, by=by)
    # Nothing is sold until a term begins: do not leave that to the next tick of the cron.
    services.persistence.run_now(event_id)
    row = {"event_id": event_id, "position": str(position)}
    print_rows([row], "rebuilt; its log continues from {position}", as_json)


@click.command()
@of_event
def export(event_id: str) -> None:
    """Print an event's purchases and box-office sales as CSV.

    Newest first. Prices and totals are in minor units; what the box office took for a seat is not known here.
    """
    services = startup_checks.operator_services()
    purchases = all_items(lambda below_seq: services.purchase_lists.page(event_id, below_seq, _PAGE))
    first = list(islice(purchases, 1))  # Before any output: the event may not exist.
    bought = map(_exported, chain(first, purchases))
    print_csv(_EXPORTED, chain(bought, map(_exported_sale, services.box_office.sales(event_id))))


def _exported(purchase: Purchase) -> dict[str, Any]:
    sold_as = purchase.sold_as or SoldAs([])
    return {
        "purchase_id": str(purchase.id),
        "state": purchase.state,
        "purchased_at": _moment(purchase.at_ms),
        "quantity": purchase.quantity,
        "seats": " ".join(purchase.seats),
        **purchase.personal._asdict(),
        "caller": purchase.caller,
        "categories": "; ".join(sold_as.categories),
        "prices": " ".join("" if price is None else str(price) for price in sold_as.prices or ()),
        "total": sold_as.total,
        "currency": sold_as.currency,
        "cancelled_at": None if purchase.cancelled_ms is None else _moment(purchase.cancelled_ms),
        "cancelled_quantity": purchase.cancelled_quantity,
        "cancelled_seats": " ".join(purchase.cancelled_seats),
        "cancelled_total": purchase.cancelled_total,
        "cancelled_why": purchase.why,
    }


def _exported_sale(sale: BoxOfficeSale) -> dict[str, Any]:
    at = None if sale.at_ms is None else _moment(sale.at_ms)
    said = {"state": "box office", "purchased_at": at, "quantity": sale.quantity}
    return said | {"seats": sale.seat, "categories": sale.category}


@click.command()
@of_event
@click.option("--prefer", type=click.Choice(["redis", "sql"]), required=True, help="Which keeps a seat that both sold.")
@acting.why
@as_json
def merge(event_id: str, prefer: Preference, why: str | None, as_json: bool) -> None:
    """Merge two histories after SQL lost entries. No purchase is dropped."""
    done = startup_checks.operator_services().merge.run(event_id, prefer, acting.actor(why))
    print_rows([{"event_id": event_id, "position": str(done.position), "taken_in": done.taken_in}], _MERGED, as_json)
    for purchase, _, reason in done.waiting:
        click.echo(f"{purchase.id} waits in quarantine: {reason}", err=True)


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def losses(context: click.Context, as_json: bool) -> None:
    """List confirmed changes that are recorded nowhere."""
    if context.invoked_subcommand is None:
        rows = [
            {"event_id": loss.event_id, "first": str(loss.first), "last": str(loss.last), "changes": loss.lost}
            for loss in startup_checks.operator_services().losses.all()
        ]
        print_rows(rows, "{event_id}: {changes} changes from {first} to {last}", as_json, nothing="nothing is lost")


@losses.command()
@of_event
@click.argument("epoch", type=int)
@acting.why_required
@as_json
def settle(event_id: str, epoch: int, why: str, as_json: bool) -> None:
    """Settle the loss of one epoch of an event."""
    startup_checks.operator_services().losses.settle(event_id, epoch, acting.actor(why))
    print_rows([{"event_id": event_id, "epoch": epoch}], "settled", as_json)


@click.group()
def quarantine() -> None:
    """Decide on entries that SQL rejected or another history has."""


@quarantine.command("list")
@click.argument("event_id", metavar="[EVENT]", required=False, type=parse_event_id)
@as_json
def list_quarantine(event_id: str | None, as_json: bool) -> None:
    """List the entries that wait for a decision."""
    waiting = startup_checks.operator_services().quarantine
    rows = [
        {
            "event_id": aside.event_id,
            "position": str(aside.entry.position),
            "reason": aside.reason,
            "error": aside.words,
            "change": aside.entry.change,
            "private": aside.entry.private or "",
        }
        for aside in all_items(lambda offset: waiting.page(event_id, offset or 0, _PAGE))
    ]
    print_rows(
        rows, "{event_id} {position} {reason}: {error}\n    {change} {private}", as_json, nothing="quarantine is empty"
    )


@quarantine.command("replay")
@of_event
@click.argument("position", metavar="POSITION")
@acting.why
@as_json
def replay(event_id: str, position: str, why: str | None, as_json: bool) -> None:
    """Record an entry after all."""
    startup_checks.operator_services().quarantine.replay(event_id, position, acting.actor(why))
    print_rows([{"event_id": event_id, "position": position}], "taken", as_json)


@quarantine.command("cancel")
@of_event
@click.argument("position", metavar="POSITION")
@acting.why
@as_json
def cancel(event_id: str, position: str, why: str | None, as_json: bool) -> None:
    """Cancel an entry: a purchase is cancelled with its seats, anything else resolved."""
    startup_checks.operator_services().quarantine.cancel(event_id, position, acting.actor(why))
    print_rows([{"event_id": event_id, "position": position}], "cancelled", as_json)


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
