"""Commands that put events on sale."""

from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from seating.cli import acting, plans, startup_checks
from seating.domain.errors import InvalidRequest
from seating.web.event_bodies import NewEvent
from seating.web.offers import new_offer


@click.group()
def events() -> None:
    """Manage events."""


@events.command("create")
@click.argument("name")
@click.option("--plan", "path", type=plans.PlanPath, help="A seating-plan file.")
@click.option("--seats", type=click.IntRange(1, 10_000_000), help="Number of seats, for general admission.")
@plans.reading_options
@click.option("--off-sale", multiple=True, metavar="CATEGORY", help="Do not sell this category; repeatable.")
@click.option("--check", is_flag=True, help="Only say what would become of the plan, or all that is wrong with it.")
@click.option("--draft", is_flag=True, help="Seen by operators and readers alone until it is put on sale.")
@click.option("--starts-at", metavar="MOMENT", help="When it takes place, such as 2027-05-01T19:30:00+02:00.")
@click.option("--venue", help="Where it takes place.")
@acting.why
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
    pick: str | None,
    check: bool,
) -> None:
    """Put an event on sale, or keep it a draft, and print its id."""
    if (path is None) == (seats is None):
        raise click.UsageError("give either --plan or --seats")
    if off_sale and path is None:
        raise click.UsageError("--off-sale is for the categories of a --plan")
    plan = plans.read(path, best_first, number_duplicates=number_duplicates, pick=pick) if path else None
    capacity = plan.capacity if plan else seats
    said = {"startsAt": starts_at, "venue": venue, "state": "draft" if draft else None}
    given = {field: value for field, value in said.items() if value is not None}
    categories = {category: {"onSale": False} for category in off_sale}
    new = _checked({"name": name, "totalSeats": capacity, "categories": categories} | given)
    offer = new_offer(new.categories, None, plan)
    if plan:
        plans.report(plan)
    if check:
        return
    created = startup_checks.operator_services().events.create(
        name, capacity or 0, plan, acting.actor(why), offer, state=new.state, details=new.details()
    )
    click.echo(created.event.id)


def _checked(event: dict[str, Any]) -> NewEvent:
    try:
        return NewEvent.model_validate(event)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidRequest(f"{where}: {first['msg']}", where) from None
