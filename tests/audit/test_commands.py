"""Acts by commands, the command that lists acts, and what its CSV may hold."""

import csv
import io
import os
import pwd
from collections.abc import Sequence

import pytest

from seating.cli.printing import print_csv
from seating.domain.change_json import change_json
from seating.domain.changes import Purchased
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.storage import answered
from seating.storage.database import Database
from seating.storage.quarantine import FORK, QuarantinedEntry, put_aside
from seating.storage.tables import ledger
from tests.books import Said, order, rows, seating
from tests.servers import wait_until
from tests.system import System

_NONCE = "0123456789abcdef"
ME = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"


def _each(system: System, *commands: Sequence[str]) -> list[Said]:
    return [seating(system, *command) for command in commands]


@pytest.fixture(scope="module")
def event(system: System) -> str:
    """Commands created it, settled what was lost, decided on what waited and rebuilt it; then a route paused it."""
    created = seating(system, "events", "create", "Field", "--seats", "5", "--why", '=a "test", 100 %')
    assert created.status == 0, created.error
    event = created.out.strip()
    order(system, event, "a-key-of-a-buyer", quantity=1, reference="=1+1")
    _wait_recorded(system, event, "purchased")
    _spoil(system, event)
    done = _each(
        system,
        ("losses", "settle", event, "7", "--why", "refunded"),
        ("quarantine", "cancel", event, "1-4", "--why", "over"),
        ("quarantine", "replay", event, "1-5", "--why", "paid"),
    )
    assert [said.status for said in done] == [0, 0, 0], done
    _wait_recorded(system, event, f'"nonce":"{_NONCE}"')
    assert seating(system, "rebuild", event, "--why", "a drill").status == 0
    headers = {"Content-Type": "application/json", "X-Request-Id": "request-0001"}
    wait_until(
        lambda: system.request("PATCH", f"/api/v1/events/{event}", b'{"state":"paused"}', headers).status == 200,
        what="the sale to be paused",
    )
    _wait_recorded(system, event, '"paused"')
    return event


def _wait_recorded(system: System, event: str, what: str) -> None:
    wait_until(lambda: any(what in row.change for row in rows(system, ledger, event)), what=f"{what} to be recorded")


def _spoil(system: System, event: str) -> None:
    """A loss, and two entries of another history in quarantine."""
    sold = Purchased(5_000, 1, 4, [], _NONCE, "hash", "print", 1, None)
    changes = ((4, '{"kind":"state","at":1,"state":"paused"}'), (5, change_json(sold)))
    fork = [LogEntry(Position(1, seq), change, f"{seq:040x}") for seq, change in changes]
    database = Database(system.database_url)
    database.write(put_aside, [QuarantinedEntry(event, entry, FORK, "it was lost", None) for entry in fork])
    database.write(answered.remember, {(event, 7): answered.ConfirmedRange(3, 4)})
    database.close()


def test_acts_are_listed(system: System, event: str) -> None:
    as_data, in_words, as_csv, exported = _each(
        system,
        ("audit", "--event", event, "--json"),
        ("audit", "--event", event, "--actor", ME),
        ("audit", "--event", event, "--limit", "2", "--csv"),
        ("export", event),
    )
    acts = {act["action"]: act for act in as_data.json}
    names = ("actor", "target", "before", "after", "why")
    at, paused = acts["event.rebuild"]["position"], acts["event.state"]
    assert {action: tuple(act[name] for name in names) for action, act in acts.items()} == {
        "event.state": ("operator", None, "on_sale", "paused", None),
        "event.rebuild": (ME, None, acts["event.rebuild"]["before"], at, "a drill"),
        "quarantine.replay": (ME, f"{event}.1-5.{_NONCE}", "quarantined", "sold", "paid"),
        "quarantine.cancel": (ME, "1-4", "quarantined", "cancelled", "over"),
        "loss.settle": (ME, "7", "2 changes from 7-3 to 7-4", "settled", "refunded"),
        "event.create": (ME, None, None, "on_sale", '=a "test", 100 %'),
    }
    assert len(as_data.json) == len(acts)
    assert (paused["address"], paused["request_id"]) == ("127.0.0.1", "request-0001")
    assert {(act["address"], act["request_id"]) for act in as_data.json if act != paused} == {(None, None)}
    first, *_, last = in_words.out.splitlines()
    assert [line.split()[1:4] for line in (first, last)] == [[ME, "event.rebuild", event], [ME, "event.create", event]]
    assert first.endswith(f" -> {at} (a drill)")
    assert last.endswith('on_sale (=a "test", 100 %)')
    listed = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert listed == [{name: value or "" for name, value in act.items()} for act in as_data.json[:2]]
    assert [row["reference"] for row in csv.DictReader(io.StringIO(exported.out))] == ["", "'=1+1"]


def test_reasons_that_are_refused(system: System, event: str) -> None:
    refused = seating(system, "rebuild", event, "--why", "a\x1b[2J")
    assert (refused.status, refused.out) == (2, "")
    assert "must not have control characters" in refused.error


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("a\r=1", "a\r=1"),
        ("1=1", "1=1"),
        ("'=1", "'=1"),
        ("", ""),
        (None, ""),
        (-1, "-1"),
    ],
)
def test_a_cell_is_no_formula(capsys: pytest.CaptureFixture[str], value: object, cell: str) -> None:
    print_csv(["a", "b"], [{"a": value, "b": "x"}])
    assert list(csv.reader(io.StringIO(capsys.readouterr().out, newline=""))) == [["a", "b"], [cell, "x"]]
