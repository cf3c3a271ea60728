"""Commands that put events on sale."""

from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from seating.cli import acting, startup_checks
from seating.domain import plan_file
from seating.domain.errors import InvalidRequest
from seating.domain.plan_format import Better, PlanFile
from seating.domain.seating_plan import SeatingPlan
from seating.web import strict_json
from seating.web.events import NewEvent

_Model = TypeVar("_Model", bound=BaseModel)


@click.group()
def events() -> None:
    """Manage events."""


@events.command("create")
@click.argument("name")
@click.option(
    "--plan", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A seating-plan file."
)
@click.option("--seats", type=click.IntRange(1, 10_000_000), help="Number of seats, for general admission.")
@click.option(
    "--best-first", multiple=True, metavar="ZONE[:ROW]", help="Rank this zone or row above the others; repeatable."
)
@acting.why
def create(name: str, path: Path | None, seats: int | None, best_first: tuple[str, ...], why: str | None) -> None:
    """Put an event on sale and print its id."""
    if (path is None) == (seats is None):
        raise click.UsageError("give either --plan or --seats")
    plan = None if path is None else _read(path, best_first)
    capacity = plan.capacity if plan else seats
    _valid(NewEvent, {"name": name, "totalSeats": capacity}, "")
    by = acting.actor(why)
    created = startup_checks.operator_services().events.create(name, capacity or 0, plan, by)
    click.echo(created.event.id)


def _read(path: Path, best_first: tuple[str, ...]) -> SeatingPlan:
    try:
        value = strict_json.parse(path.read_bytes())
    except InvalidRequest as error:
        raise InvalidRequest(f"{path}: {error.message.removeprefix('The body ')}", "") from None
    file = _valid(PlanFile, value, f"{path}: ")
    zones = {zone.name for zone in file.zones}
    return plan_file.read(file, [_better(text, zones) for text in best_first])


def _valid(model: type[_Model], value: Any, of: str) -> _Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "all of it"
        raise InvalidRequest(f"{of}{where}: {first['msg']}", where) from None


def _better(text: str, zones: set[str]) -> Better:
    if text in zones:
        return Better(zone=text)
    zone, _, row = text.rpartition(":")
    return Better(zone=zone, row=row) if zone else Better(zone=row)
