"""Lists the acts of operators."""

from itertools import islice
from typing import Any, Final

import click

from seating.cli import startup_checks
from seating.cli.printing import as_json, print_csv, print_rows
from seating.domain.page import all_items
from seating.domain.timestamps import rfc3339
from seating.storage.audit import RecordedAct

_PAGE: Final = 1_000
_SHOWN: Final = 50
_COLUMNS: Final = (
    *("at", "actor", "address", "request_id", "action", "event_id"),
    *("target", "before", "after", "why", "position"),
)


@click.command()
@click.option("--event", "event_id", metavar="EVENT", help="Only acts on this event.")
@click.option("--actor", metavar="NAME", help="Only acts of this actor.")
@click.option("--limit", type=click.IntRange(1), help=f"How many; {_SHOWN} by default, and all with --csv.")
@as_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def audit(event_id: str | None, actor: str | None, limit: int | None, as_json: bool, as_csv: bool) -> None:
    """List what operators did, by routes and commands, newest first."""
    if as_json and as_csv:
        raise click.UsageError("give only one of --json and --csv")
    shown = None if as_csv and limit is None else limit or _SHOWN
    acts = startup_checks.operator_services().audit
    found = all_items(lambda below_id: acts.page(below_id, _PAGE, event_id, actor))
    rows = map(_row, islice(found, shown))
    if as_csv:
        print_csv(_COLUMNS, rows)
    elif as_json:
        print_rows(rows, "", as_json)
    else:
        form = "{at}  {actor:20} {action:17} {event_id:13} {target}{change}{because}"
        print_rows(map(_in_words, rows), form, as_json=False, nothing="no acts")


def _row(recorded: RecordedAct) -> dict[str, Any]:
    act = recorded.act
    who = (act.actor.name, act.actor.address, act.actor.request_id)
    what = (act.action, act.event_id, act.target, act.before, act.after, act.actor.why)
    position = str(act.position) if act.position else None
    return dict(zip(_COLUMNS, (rfc3339(act.at_ms), *who, *what, position), strict=True))


def _in_words(row: dict[str, Any]) -> dict[str, str]:
    """Return the row's fields for printing: `change` is `: before -> after`, `because` the reason in parentheses."""
    texts = {name: value or "" for name, value in row.items()}
    change = " -> ".join(filter(None, (row["before"], row["after"])))
    return texts | {
        "change": f": {change}" if row["target"] else change,
        "because": f" ({row['why']})" if row["why"] else "",
    }
