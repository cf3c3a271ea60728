"""The output of commands: rows as text, JSON or CSV."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import Any, Final

import click
from pydantic import BaseModel

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


def print_table(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], as_json: bool, nothing: str = ""
) -> None:
    """Print rows under headings, or as JSON with all their fields.

    `columns` has the heading of each field that the table shows. Numbers are aligned right, and None is blank.
    """
    rows = list(rows)
    if as_json or not rows:
        print_rows(rows, "", as_json, nothing)
        return
    lines = [list(columns.values()), *([_cell(row.get(name)) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    # Not isinstance(): a bool is an int, and is printed as a word.
    right = [all(type(row.get(name)) in (int, NoneType) for row in rows) for name in columns]
    for line in lines:
        cells = zip(line, widths, right, strict=True)
        click.echo(
            "  ".join(text.rjust(width) if is_right else text.ljust(width) for text, width, is_right in cells).rstrip()
        )


def print_fields(answer: BaseModel, as_json: bool) -> None:
    """Print what a route would answer: a line for each field that has a value, or JSON."""
    fields = shown(answer)
    if as_json:
        click.echo(json.dumps(fields, indent=2))
        return
    lines = {_words(name): _cell(value) for name, value in fields.items() if value not in (None, [], {})}
    width = max(map(len, lines))
    for name, text in lines.items():
        click.echo(f"{name:{width}}  {text}")


def shown(answer: BaseModel) -> dict[str, Any]:
    """Return the fields of a route's answer, with their names in JSON."""
    return answer.model_dump(mode="json", by_alias=True)


def _words(name: str) -> str:
    """Return a camelCase name as words."""
    return re.sub("[A-Z]", lambda letter: f" {letter[0].lower()}", name)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(_cell, value))
        case dict():
            return ", ".join(f"{name}: {_cell(item)}" for name, item in value.items())
        case _:
            return str(value)


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
