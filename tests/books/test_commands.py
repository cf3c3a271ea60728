"""What the operator types: answers in words and as data, status 0, 1 or 2, and refusals of one line."""

import csv
import io
import re
from collections.abc import Sequence

import pytest
from sqlalchemy import update

from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.redis_store import keys
from seating.storage.database import Database
from seating.storage.quarantine import FORK, QuarantinedEntry, put_aside
from seating.storage.tables import ledger, quarantine
from tests.books import Said, order, rows, seating, seq_of
from tests.servers import wait_until
from tests.system import System

_HALL = {"generate": {"sections": 1, "rows": 2, "seatsPerRow": 5}}
_BEST = "sec-1-row-A-seat-3"


@pytest.fixture
def event(system: System) -> str:
    """The best seat was sold, taken back and sold again; all of it is recorded."""
    event = system.create_event(seatingPlan=_HALL)
    first = order(system, event, "a-key-of-a-buyer-1", quantity=1, reference="R1")
    assert first.json["seats"] == [_BEST]
    assert system.request("DELETE", f"/api/v1/purchases/{first.json['purchaseId']}").status == 200
    assert order(system, event, "a-key-of-a-buyer-2", quantity=1, reference="R2").json["seats"] == [_BEST]
    _wait_recorded(system, event, 5)
    return event


def _wait_recorded(system: System, event_id: str, entries: int) -> None:
    wait_until(lambda: len(rows(system, ledger, event_id)) == entries, what=f"{entries} entries on record")


def _each(system: System, *commands: Sequence[str]) -> list[Said]:
    return [seating(system, *command) for command in commands]


def test_reconcile_says_what_differs_and_rebuild_mends_it(system: System, event: str) -> None:
    redis = system.redis.client()
    redis.hincrby(keys.inventory(event), "sold", 2)
    in_words, as_data = _each(system, ("reconcile", event), ("reconcile", event, "--json"))
    what = "inventory sold is '3' but should be '1'"
    assert in_words == (1, f"{event}: {what}; run: seating rebuild\n", "")
    assert as_data.status == 1
    assert as_data.json == [{"event_id": event, "what": what, "advice": "run: seating rebuild"}]
    rebuilt = seating(system, "rebuild", event)
    assert rebuilt.status == 0, rebuilt.error
    assert re.fullmatch(r"rebuilt; its log continues from \d{9}-6\n", rebuilt.out)
    assert redis.hget(keys.inventory(event), "sold") == b"1"
    in_words, as_data = _each(system, ("reconcile", event), ("reconcile", event, "--json"))
    assert in_words == (0, "the books are right\n", "")
    assert (as_data.status, as_data.json) == (0, [])
    assert system.buy(1, event_id=event).json["position"].endswith("-8")  # A term has begun before it.


def test_verify_finds_a_changed_byte(system: System, event: str) -> None:
    as_words, as_data = _each(system, ("verify", event), ("verify", event, "--json"))
    assert as_words == (0, "5 entries, the chain is intact\n", "")
    assert (as_data.status, as_data.json) == (0, [{"entries": 5, "broken": None}])
    changed = sorted(rows(system, ledger, event), key=lambda row: row.seq)[2]
    _write(system, event, changed.seq, "{}")
    as_words, as_data = _each(system, ("verify", event), ("verify", event, "--json"))
    broken = f"the entry at {changed.epoch}-3 was altered"
    assert as_words == (1, f"after 2 entries: {broken}\n", "")
    assert (as_data.status, as_data.json) == (1, [{"entries": 2, "broken": broken}])
    _write(system, event, changed.seq, changed.change)


def _write(system: System, event_id: str, seq: int, change: str) -> None:
    """Over an entry on record."""
    database = Database(system.database_url)
    here = (ledger.c.event_id == event_id) & (ledger.c.seq == seq)
    database.write(lambda connection: connection.execute(update(ledger).where(here).values(change=change)))
    database.close()


def test_history_of_a_seat(system: System, event: str) -> None:
    as_data, in_words, never = _each(
        system,
        ("history", event, _BEST, "--json"),
        ("history", event, _BEST),
        ("history", event, "sec-1-row-B-seat-5"),
    )
    first, second = (
        order(system, event, f"a-key-of-a-buyer-{n}", quantity=1, reference=f"R{n}").json["purchaseId"] for n in (1, 2)
    )
    assert as_data.status == 0
    told = [
        (seq_of(change["position"]), change["what"], change["purchase_id"], change["reference"])
        for change in as_data.json
    ]
    assert told == [
        (3, "sold", first, "R1"),
        (4, "returned", first, None),
        (5, "sold", second, "R2"),
    ]
    assert in_words.status == 0
    assert [line.split()[1:] for line in in_words.out.splitlines()] == [
        [change["position"], change["what"], change["purchase_id"]] for change in as_data.json
    ]
    assert never == (0, "no history\n", "")


def test_export(system: System, event: str) -> None:
    empty = system.create_event(totalSeats=3)
    full, nothing = _each(system, ("export", event), ("export", empty))
    first, second = (
        order(system, event, f"a-key-of-a-buyer-{n}", quantity=1, reference=f"R{n}").json["purchaseId"] for n in (1, 2)
    )
    assert (full.status, full.error) == (0, "")
    exported = list(csv.DictReader(io.StringIO(full.out)))
    assert [(row["purchase_id"], row["state"], row["seats"], row["reference"]) for row in exported] == [
        (second, "persisted", _BEST, "R2"),
        (first, "cancelled", _BEST, "R1"),
    ]
    assert nothing == (
        0,
        "purchase_id,state,purchased_at,quantity,seats,reference,buyer,note,caller,categories,prices,total,currency,"
        "cancelled_at,cancelled_quantity,cancelled_seats,cancelled_total,cancelled_why\n",
        "",
    )


def test_an_empty_quarantine(system: System, event: str) -> None:
    in_words, as_data = _each(system, ("quarantine", "list", event), ("quarantine", "list", event, "--json"))
    assert in_words == (0, "quarantine is empty\n", "")
    assert (as_data.status, as_data.json) == (0, [])


def test_a_quarantine_is_listed_whole(system: System) -> None:
    """However much a fork has left there."""
    event = system.create_event(totalSeats=3)
    fork = [LogEntry(Position(1, seq), "{}", f"{seq:040x}") for seq in range(2, 1_203)]
    asides = [QuarantinedEntry(event, entry, FORK, "a seat has another owner", None) for entry in fork]
    database = Database(system.database_url)
    database.write(lambda connection: put_aside(connection, asides))
    listed = seating(system, "quarantine", "list", event, "--json").json
    assert [entry["position"] for entry in listed] == [str(entry.position) for entry in reversed(fork)]
    database.write(lambda connection: connection.execute(quarantine.delete().where(quarantine.c.event_id == event)))
    database.close()


def test_refusals_are_one_line_and_change_nothing(system: System, event: str) -> None:
    """Unknown events, what no event is ever called, positions of nothing, and bytes that are no text."""
    general = system.create_event(totalSeats=3)
    no_event, no_entry = "There is no such event", "There is no such entry in quarantine"
    refused = {
        ("reconcile", event, "nowhere"): no_event,
        ("verify", "UPPER"): no_event,
        ("history", "\udcff", _BEST): no_event,
        ("history", event, "sec-9-row-A-seat-1"): "Seat not found",
        ("history", general, _BEST): "Seat not found",
        ("rebuild", "nowhere"): no_event,
        ("export", "nowhere"): no_event,
        ("quarantine", "list", "nowhere"): no_event,
        ("quarantine", "replay", event, "1-2"): no_entry,
        ("quarantine", "cancel", event, "0-0"): no_entry,
    }
    before = _books(system, event)
    for said, what in zip(_each(system, *refused), refused.values(), strict=True):
        assert said == (2, "", f"seating: {what}\n")
    assert _books(system, event) == before
    assert seating(system, "verify").status == 2


def _books(system: System, event_id: str) -> list[bytes | None]:
    """All that Redis has of an event; SQL follows it."""
    return [system.redis.client().dump(name) for name in keys.all_of(event_id)]
