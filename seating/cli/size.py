"""`seating size`: what a sale needs, from what was measured."""

import json
from dataclasses import asdict
from importlib import resources
from typing import Any, Final

import click

from seating.cli.printing import as_json as json_option
from seating.cli.printing import print_table
from seating.domain import sizing

COSTS: Final = resources.files("seating.cli") / "costs.json"
"""Made of docs/figures by `make benchmarks`; a test compares the two."""


@click.command()
@click.option("--events", type=click.IntRange(1, 100_000), required=True, help="Events that are on sale at once.")
@click.option("--seats", type=click.IntRange(1, 1_000_000_000), required=True, help="Seats of all of them together.")
@click.option(
    "--visitors", type=click.IntRange(1, 1_000_000_000), required=True, help="Visitors, each of whom tries to buy once."
)
@click.option("--minutes", type=click.FloatRange(0.1, 10_000), default=10.0, help="Minutes over which they arrive.")
@click.option("--general-admission", is_flag=True, help="The events have no numbered seats.")
@click.option("--seats-of-purchase", type=click.FloatRange(1, 10), default=2.0, help="On average.")
@click.option(
    "--peak", type=click.FloatRange(1, 100), default=3.0, help="Load of the busiest second, as a multiple of the mean."
)
@click.option("--watching", type=click.FloatRange(0, 1), default=1.0, help="Share whose live feeds are open at once.")
@json_option
def size(*, as_json: bool, general_admission: bool, **fields: Any) -> None:
    """Estimate what a sale needs, from what was measured on one machine.

    CPU time differs between machines: measure on yours with `make bench`.
    """
    sale = sizing.PlannedSale(**fields, seated=not general_admission)
    costs = sizing.Costs(**json.loads(COSTS.read_text()))
    found, limit = sizing.needs(sale, costs), sizing.bottleneck(sale, costs)
    if as_json:
        answer = {"sale": asdict(sale), "needs": [need._asdict() for need in found], "bottleneck": limit}
        click.echo(json.dumps(answer, indent=2))
        return
    rows = [{"what": need.what, "amount": _amount(need), "because": need.because} for need in found]
    print_table(rows, {"what": "what", "amount": "needs", "because": "because of"}, as_json=False)
    click.echo(f"\nBottleneck: {limit}")


def _amount(need: sizing.Need) -> str:
    digits = 0 if need.amount >= 100 or not need.unit else 2
    return f"{need.amount:,.{digits}f} {need.unit}".rstrip()
