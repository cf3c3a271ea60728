"""The output of commands: rows as text, JSON or CSV."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

# Spreadsheets take a cell that starts with one of these for a formula (https://owasp.org/www-community/attacks/CSV_Injection).
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
    """Print rows as CSV. None is an empty cell. A text that looks like a formula gets a leading apostrophe."""
    writer = csv.DictWriter(_UnixLines(), columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _inert(value) for name, value in row.items()})


class _UnixLines:
    """Standard output with lines that end in `\n`. The csv writer ends them in `\r\n`, so that it quotes both."""

    def write(self, line: str) -> None:
        sys.stdout.write(line.removesuffix("\r\n") + "\n")


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
