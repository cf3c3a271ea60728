"""Seating-plan files: reading them for other commands, and showing what becomes of one."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from seating.domain import plan_drawing, plan_file, plan_reading
from seating.domain.errors import InvalidPlan, InvalidRequest
from seating.domain.plan_faults import NO_SUCH_FIELD
from seating.domain.plan_format import Better, PlanFile
from seating.domain.seating_plan import SeatingPlan
from seating.web import strict_json

_Command = TypeVar("_Command", bound=Callable[..., Any])

PlanPath = click.Path(exists=True, dir_okay=False, path_type=Path)


def reading_options(command: _Command) -> _Command:
    """How a plan is read: `best_first`, `number_duplicates`, `ignore_unknown` and `pick`, as `read` takes them."""
    for option in (
        click.option("--pick", metavar="ID", help="Of a page of pretix's API: which plan, by its id or name."),
        click.option("--ignore-unknown", is_flag=True, help="Leave out fields that the format does not have."),
        click.option("--number-duplicates", is_flag=True, help="Give a seat whose id another seat has a number."),
        click.option(
            "--best-first",
            multiple=True,
            metavar="ZONE[:ROW]",
            help="Better than what is not named; may be repeated. Or a path: zones.3, zones.3.rows.7.",
        ),
    ):
        command = option(command)
    return command


@click.group()
def plan() -> None:
    """Show seating-plan files."""


@plan.command("show")
@click.argument("path", metavar="FILE", type=PlanPath)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to, instead of standard output.")
@reading_options
def show(
    path: Path,
    output: Path | None,
    best_first: tuple[str, ...],
    **how: Any,
) -> None:
    """Draw FILE as SVG: blocks, what stands side by side, and the order in which seats are sold."""
    shown = read(path, best_first, **how)
    drawing = plan_drawing.draw(shown)
    if output:
        try:
            output.write_text(drawing)
        except OSError as error:
            raise click.FileError(str(output), error.strerror) from None
    else:
        click.echo(drawing, nl=False)
    report(shown)


def report(read_plan: SeatingPlan) -> None:
    """Say on standard error what became of a file."""
    stretches = sum(map(len, read_plan.blocks))
    click.echo(
        f"Seats: {read_plan.capacity}, stretches side by side: {stretches}, blocks: {len(read_plan.blocks)}", err=True
    )
    seats: Counter[str] = Counter()
    for category, block in zip(read_plan.parts.category_of, read_plan.blocks, strict=True):
        seats[read_plan.parts.categories[category]] += sum(map(len, block))
    shown = ", ".join(f"{name} ({count})" for name, count in seats.items())
    click.echo(f"Categories, in the order of the sale: {shown}", err=True)
    for note in read_plan.notes:
        click.echo(note, err=True)


def read(path: Path, best_first: Sequence[str] = (), **how: Any) -> SeatingPlan:
    """Raises InvalidPlan with all faults of the file, or InvalidRequest. `how` is as plan_reading.parse takes it."""
    try:
        value = strict_json.parse(path.read_bytes(), of_a_file=True)
    except InvalidRequest as error:
        raise InvalidRequest(f"{path}: {error.message.removeprefix('The body ')}", "") from None
    try:
        file = plan_reading.parse(value, **how)
    except InvalidPlan as error:
        raise InvalidPlan(error.facts["errors"], error.facts["errors_total"], f"{path}: ") from None
    return plan_file.read(file, [_better(text, file) for text in best_first])


def fault_lines(error: InvalidPlan) -> Iterable[str]:
    """One line a fault, behind one that counts them."""
    errors, total = error.facts["errors"], error.facts["errors_total"]
    listed = f", of which these are the first {len(errors)}" if total > len(errors) else ""
    yield f"{error.message.partition(': ')[0]}: {total} {'fault' if total == 1 else 'faults'}{listed}"
    for fault in errors:
        line = f"  {fault['path']}: {fault['message']}"
        if fault["value"] is not None:
            line += f"; it is {fault['value']!r}"
        if fault["suggestion"]:
            line += f"; try {fault['suggestion']}"
        yield line
    if any(fault["message"].startswith("another seat has this id") for fault in errors):
        yield "  --number-duplicates gives seats whose id another seat has a number"
    if any(fault["message"] == NO_SUCH_FIELD for fault in errors):
        yield "  --ignore-unknown leaves out fields that the format does not have"


def _better(text: str, file: PlanFile) -> Better:
    zones = {zone.name for zone in file.zones}
    # The whole name first: that of a zone may have a colon, or look like a path.
    if text in zones:
        return Better(zone=text)
    try:
        return Better(path=text)
    except ValidationError:
        zone, _, row = text.rpartition(":")
        return Better(zone=zone, row=row) if zone else Better(zone=row)
