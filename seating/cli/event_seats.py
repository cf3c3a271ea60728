"""Commands that set seats as the organiser, and list what the organiser set."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import click

from seating.cli import acting, startup_checks
from seating.cli.books import of_event
from seating.cli.printing import as_json, print_fields, print_table, shown
from seating.domain.seat_status import ORGANISED, SETTABLE, WORDS
from seating.services.seats import Seats
from seating.web.organiser import SeatsSetting, SeatsSetView, view
from seating.web.parsing import validate

_PAGE: Final = 1_000
_SHOWN: Final = 1_000
_STATUSES: Final = [WORDS[letter] for letter in ORGANISED]
_SINCE: Final = {"status": "STATUS", "at": "SINCE", "by": "BY", "note": "NOTE"}
_SEAT_COLUMNS: Final = {"id": "SEAT"} | _SINCE
_PLACES_COLUMNS: Final = {"category": "CATEGORY", "quantity": "PLACES"} | _SINCE


@click.group()
def seats() -> None:
    """Set seats as the organiser, and list them."""


@seats.command("set")
@of_event
@click.argument("status", type=click.Choice(sorted(SETTABLE)))
@click.argument("seat_ids", metavar="[SEAT]...", nargs=-1)
# Of another encoding, a seat that cannot be read is refused like one that does not exist.
@click.option("--file", type=click.File(errors="replace"), help="A file with one seat a line; - is standard input.")
@click.option("--category", help="All seats of this category; in general admission, places of it.")
@click.option("--zone", help="All seats of this zone.")
@click.option("--quantity", type=int, help="In general admission: how many places.")
@click.option("--from", "places_are", type=click.Choice(_STATUSES), help="With available: what these places are now.")
@acting.why
@as_json
def set_seats(event_id: str, status: str, seat_ids: tuple[str, ...], file: Any, as_json: bool, **words: Any) -> None:
    """Set seats: all of them or, if a buyer has one, none.

    \b
    seating events seats set gala reserved floor-A-1 floor-A-2 --why "for the sponsor"
    seating events seats set gala available --zone Balcony
    seating events seats set open-air sold --category Standing --quantity 20
    """
    why = words.pop("why")
    listed = [*seat_ids, *(line.strip() for line in file or () if line.strip())]
    said = {"status": status, "seats": listed, "from": words.pop("places_are"), **words}
    body = validate(SeatsSetting, {name: value for name, value in said.items() if value not in (None, [])})
    done = startup_checks.operator_services().seats.set_all(event_id, body.selection(), status, acting.actor(why))
    print_fields(SeatsSetView.model_validate(done), as_json)


@seats.command("list")
@of_event
@click.option("--status", type=click.Choice(_STATUSES), help="Only seats with this status.")
@click.option("--limit", type=click.IntRange(1), default=_SHOWN, show_default=True, help="How many.")
@as_json
def list_seats(event_id: str, status: str | None, limit: int, as_json: bool) -> None:
    """List seats that the organiser set, with who did so, when and why.

    In general admission, how many places of each category.
    """
    found = list(islice(_listed(startup_checks.operator_services().seats, event_id, status), limit))
    columns = _PLACES_COLUMNS if found and "quantity" in found[0] else _SEAT_COLUMNS
    print_table(found, columns, as_json, nothing="no seats")


def _listed(seats: Seats, event_id: str, status: str | None) -> Iterator[dict[str, Any]]:
    """Yield the seats or, in general admission, how many places of each category."""
    after = ""
    while True:
        page = shown(view(seats.set_by_organiser(event_id, after, _PAGE, status)))
        yield from page["seats"]
        yield from page["places"]
        if page["next"] is None:
            return
        after = page["next"]
