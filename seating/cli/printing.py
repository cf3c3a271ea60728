"""What commands print: rows in words, as JSON, and as CSV."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

# A cell that begins so is a formula to a spreadsheet (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def print_rows(rows: Iterable[Mapping[str, Any]], form: str, as_json: bool, nothing: str = "") -> None:
    rows = list(rows)
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=2))
        return
    for row in rows:
        click.echo(form.format(**row).rstrip())
    if not rows:
        click.echo(nothing)


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """None is an empty cell. A text that a spreadsheet would take for a formula gets an apostrophe in front."""
    writer = csv.DictWriter(_Lines(), columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _inert(value) for name, value in row.items()})


class _Lines:
    """Standard output, whose lines end in `\n`. The writer's own end in `\r\n`: it quotes what has either."""

    def write(self, line: str) -> None:
        sys.stdout.write(line.removesuffix("\r\n") + "\n")


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
