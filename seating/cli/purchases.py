"""Commands that show, find and cancel purchases."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

import click

from seating.cli import acting, startup_checks
from seating.cli.books import of_event
from seating.cli.printing import as_json, print_fields, print_rows, print_table, shown
from seating.domain.errors import PurchaseNotFound
from seating.domain.page import all_items
from seating.domain.purchase import Purchase, PurchaseId
from seating.runtime import BackgroundServices
from seating.web.purchase_views import OrderView

_PAGE: Final = 200
_SHOWN: Final = 50
_COLUMNS: Final = {
    "purchaseId": "PURCHASE",
    "state": "STATE",
    "purchasedAt": "BOUGHT",
    "quantity": "SEATS",
    "cancelledQuantity": "CANCELLED",
    "total": "TOTAL",
    "currency": "",
    "reference": "REFERENCE",
    "seats": "",
}

of_purchase = click.argument("purchase_id", metavar="PURCHASE", type=str)


@click.group()
def purchases() -> None:
    """Show, find, cancel and refund purchases."""


@purchases.command()
@of_purchase
@as_json
def show(purchase_id: str, as_json: bool) -> None:
    """Show a purchase."""
    found = startup_checks.operator_services().purchases.get(PurchaseId.parse(purchase_id))
    print_fields(OrderView.model_validate(found), as_json)


@purchases.command()
@of_event
@click.option("--reference", help="Only purchases with this order number of the shop.")
@click.option("--seat", help="Only purchases of this seat, cancelled ones too.")
@click.option("--shop", help="Only purchases made with keys of this name.")
@click.option("--limit", type=click.IntRange(1), default=_SHOWN, show_default=True, help="How many.")
@as_json
def find(event_id: str, reference: str | None, seat: str | None, shop: str | None, limit: int, as_json: bool) -> None:
    """List an event's purchases, newest first. With --reference, those that SQL does not have yet are found too."""
    if seat is not None and (reference is not None or shop is not None):
        raise click.UsageError("give --seat alone")
    services = startup_checks.operator_services()
    found = _of_seat(services, event_id, seat) if seat is not None else _listed(services, event_id, reference, shop)
    rows = [shown(OrderView.model_validate(purchase)) for purchase in islice(found, limit)]
    print_table(rows, _COLUMNS, as_json, nothing="no purchases")


@purchases.command()
@of_purchase
@acting.why
@as_json
def cancel(purchase_id: str, why: str | None, as_json: bool) -> None:
    """Cancel a whole purchase. Its seats go back on sale, once."""
    _cancel(purchase_id, "", None, why, as_json)


@purchases.command()
@of_purchase
@click.option("--seats", default="", metavar="SEAT[,SEAT]...", help="The seats to give back.")
@click.option("--quantity", type=click.IntRange(1), help="In general admission: how many places, in total.")
@acting.why
@as_json
def refund(purchase_id: str, seats: str, quantity: int | None, why: str | None, as_json: bool) -> None:
    """Cancel a part of a purchase.

    Repeating it changes nothing: --seats and --quantity say what is cancelled in total. seating moves no money; the
    cancelled total is what to pay back.
    """
    if bool(seats) == (quantity is not None):
        raise click.UsageError("give either --seats or --quantity; to cancel all of it: seating purchases cancel")
    _cancel(purchase_id, seats, quantity, why, as_json)


@purchases.command()
@click.argument("purchase_ids", metavar="PURCHASE...", nargs=-1, required=True, type=str)
@acting.may_ask
@acting.why
@as_json
def erase(purchase_ids: tuple[str, ...], yes: bool, why: str | None, as_json: bool) -> None:
    """Erase what a shop said of its customer: buyer, reference and note.

    The purchases themselves stay. Repeat the command if it fails. Redis's log loses the entries up to the purchase, so
    an SQL that goes back behind them cannot catch up from it.
    """
    wanted = [PurchaseId.parse(each) for each in purchase_ids]
    acting.ask_before_erasing(f"Erase personal data of {', '.join(purchase_ids)}", yes=yes)
    services = startup_checks.operator_services()
    erased = []
    try:
        for purchase_id in wanted:
            services.erasure.purchase(purchase_id, acting.actor(why))
            erased.append({"purchase_id": str(purchase_id)})
    finally:
        if erased:  # If one fails, those before it are erased all the same.
            print_rows(erased, "{purchase_id}: personal data erased", as_json)


def _cancel(purchase_id: str, seats: str, quantity: int | None, why: str | None, as_json: bool) -> None:
    services = startup_checks.operator_services()
    cancelled = services.purchases.cancel(PurchaseId.parse(purchase_id), acting.actor(why), seats, quantity)
    print_fields(OrderView.model_validate(cancelled), as_json)


def _listed(services: BackgroundServices, event_id: str, reference: str | None, shop: str | None) -> Iterable[Purchase]:
    return all_items(lambda below_seq: services.purchase_lists.page(event_id, below_seq, _PAGE, reference, shop))


def _of_seat(services: BackgroundServices, event_id: str, seat: str) -> Iterable[Purchase]:
    """Yield every purchase that ever had the seat, the newest first."""
    history = services.books.history(event_id, seat)
    for purchase_id in dict.fromkeys(change.purchase_id for change in reversed(history) if change.purchase_id):
        try:
            yield services.purchases.get(PurchaseId.parse(purchase_id))
        except PurchaseNotFound:
            continue  # An unreadable entry has no whole id.
