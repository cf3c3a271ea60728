"""Commands that create, list and show events, and open, pause and close their sales."""

from itertools import islice
from pathlib import Path
from typing import Final

import click

from seating.cli import acting, plans, startup_checks
from seating.cli.books import of_event
from seating.cli.event_seats import seats
from seating.cli.printing import as_json, print_fields, print_rows, print_table, shown
from seating.domain.event import STATES, EventFilter
from seating.domain.page import all_items
from seating.services.events import EventOnSale
from seating.web.event_bodies import NewEvent
from seating.web.event_views import CreatedEventView, view
from seating.web.events import EventPageQuery
from seating.web.offers import new_offer
from seating.web.parsing import validate

_PAGE: Final = 200
_SHOWN: Final = 50
_COLUMNS: Final = {
    "id": "ID",
    "name": "NAME",
    "state": "STATE",
    "startsAt": "STARTS",
    "venue": "VENUE",
    "seatsSold": "SOLD",
    "seatsRemaining": "LEFT",
    "totalSeats": "SEATS",
}
_CATEGORY_COLUMNS: Final = {
    "name": "CATEGORY",
    "price": "PRICE",
    "onSale": "ON SALE",
    "onRequest": "ON REQUEST",
    "accessible": "ACCESSIBLE",
    "seatsRemaining": "LEFT",
}


@click.group()
def events() -> None:
    """Manage events, their sales and their seats."""


events.add_command(seats)


@events.command("create")
@click.argument("name")
@click.option("--plan", "path", type=plans.PlanPath, help="A seating-plan file.")
@click.option("--seats", type=click.IntRange(1, 10_000_000), help="Number of seats, for general admission.")
@plans.reading_options
@click.option("--off-sale", multiple=True, metavar="CATEGORY", help="Do not sell this category; repeatable.")
@click.option("--check", is_flag=True, help="Only say what would become of the plan, or all that is wrong with it.")
@click.option("--draft", is_flag=True, help="Seen by operators and readers alone until it is put on sale or closed.")
@click.option("--starts-at", metavar="MOMENT", help="When it takes place, such as 2027-05-01T19:30:00+02:00.")
@click.option("--venue", help="Where it takes place.")
@acting.why
@as_json
def create(
    name: str,
    path: Path | None,
    seats: int | None,
    best_first: tuple[str, ...],
    off_sale: tuple[str, ...],
    draft: bool,
    starts_at: str | None,
    venue: str | None,
    why: str | None,
    *,
    number_duplicates: bool,
    ignore_unknown: bool,
    pick: str | None,
    check: bool,
    as_json: bool,
) -> None:
    """Put an event on sale, or keep it a draft, and print its id."""
    if (path is None) == (seats is None):
        raise click.UsageError("give either --plan or --seats")
    if off_sale and path is None:
        raise click.UsageError("--off-sale is for the categories of a --plan")
    how = {"number_duplicates": number_duplicates, "ignore_unknown": ignore_unknown, "pick": pick}
    plan = plans.read(path, best_first, **how) if path else None
    capacity = plan.capacity if plan else seats
    said = {"startsAt": starts_at, "venue": venue, "state": "draft" if draft else None}
    given = {field: value for field, value in said.items() if value is not None}
    categories = {category: {"onSale": False} for category in off_sale}
    new = validate(NewEvent, {"name": name, "totalSeats": capacity, "categories": categories} | given)
    offer = new_offer(new.categories, None, plan)
    if plan:
        plans.report(plan)
    if check:
        return
    created = startup_checks.operator_services().event_creation.create(
        name, capacity or 0, plan, acting.actor(why), offer, state=new.state, details=new.details()
    )
    if as_json:
        notes = list(plan.notes) if plan else []
        print_fields(CreatedEventView.model_construct(**dict(view(created)), plan_notes=notes), as_json)
    else:
        click.echo(created.event.id)


@events.command("list")
@click.option("--state", type=click.Choice(sorted(STATES)), help="Only events in this state.")
@click.option("--venue", help="Only events at this venue.")
@click.option("--from", "from_", metavar="MOMENT", help="Only events that start at this time or later.")
@click.option("--to", metavar="MOMENT", help="Only events that start before this time.")
@click.option("--limit", type=click.IntRange(1), default=_SHOWN, show_default=True, help="How many.")
@as_json
def list_events(limit: int, as_json: bool, **wanted: str | None) -> None:
    """List events by date, drafts too; those without a date last."""
    given = {name.rstrip("_"): value for name, value in wanted.items() if value is not None}
    query = validate(EventPageQuery, given)
    chosen = EventFilter(query.from_, query.to, query.state, query.venue, drafts=True)
    events = startup_checks.operator_services().events
    found = all_items(lambda after: events.page(after, _PAGE, chosen))
    print_table([shown(view(event)) for event in islice(found, limit)], _COLUMNS, as_json, nothing="no events")


@events.command()
@of_event
@as_json
def show(event_id: str, as_json: bool) -> None:
    """Show an event: its state, terms of sale, and counts of seats."""
    _print(startup_checks.operator_services().events.get(event_id), as_json)


@events.command("open")
@of_event
@acting.why
@as_json
def open_sale(event_id: str, why: str | None, as_json: bool) -> None:
    """Put a draft on sale, or resume a paused sale."""
    _set_state(event_id, "on_sale", why, as_json)


@events.command()
@of_event
@acting.why
@as_json
def pause(event_id: str, why: str | None, as_json: bool) -> None:
    """Pause a sale. Buyers get NOT_ON_SALE until it is opened again; holds go on."""
    _set_state(event_id, "paused", why, as_json)


@events.command()
@of_event
@acting.may_ask
@acting.why
@as_json
def close(event_id: str, yes: bool, why: str | None, as_json: bool) -> None:
    """Close a sale for good. A day later the event is archived. A draft is seen by everybody then."""
    acting.ask_first(f"A closed sale cannot be opened again. Close {event_id}?", yes=yes)
    _set_state(event_id, "closed", why, as_json)


@events.command()
@of_event
@acting.may_ask
@acting.why
@as_json
def erase(event_id: str, yes: bool, why: str | None, as_json: bool) -> None:
    """Erase the personal data of all purchases of an archived event: buyer, reference and note."""
    acting.ask_before_erasing(f"Erase personal data of {event_id}", yes=yes)
    # It yields after each transaction, for the cron, which stops between two.
    for _ in startup_checks.operator_services().erasure.event(event_id, acting.actor(why)):
        pass
    print_rows([{"event_id": event_id}], "{event_id}: personal data erased", as_json)


@events.command()
@of_event
@acting.may_ask
@acting.why
@as_json
def delete(event_id: str, yes: bool, why: str | None, as_json: bool) -> None:
    """Delete an archived event, with its purchases and its webhooks. The audit log stays."""
    acting.ask_before_erasing(f"Delete {event_id}", yes=yes)
    for _ in startup_checks.operator_services().erasure.delete(event_id, acting.actor(why)):
        pass
    print_rows([{"event_id": event_id}], "{event_id}: deleted", as_json)


def _set_state(event_id: str, state: str, why: str | None, as_json: bool) -> None:
    events = startup_checks.operator_services().events
    events.set_state(event_id, state, acting.actor(why))
    _print(events.get(event_id), as_json)


def _print(found: EventOnSale, as_json: bool) -> None:
    event = view(found)
    if as_json or not event.categories:
        print_fields(event, as_json)
        return
    print_fields(event.model_copy(update={"categories": None}), as_json)
    click.echo()
    print_table(map(shown, event.categories), _CATEGORY_COLUMNS, as_json)
