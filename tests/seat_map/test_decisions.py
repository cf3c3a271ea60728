"""What waits for a decision in the control room: each button says what follows, and does it."""

import json
import re
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from seating.domain.change_json import change_json
from seating.domain.changes import Opened
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.redis_store import keys
from seating.storage import answered, quarantine
from seating.storage.answered import ConfirmedRange
from seating.storage.database import Database
from seating.storage.quarantine import QuarantinedEntry
from seating.storage.tables import purchases, sold_seats
from tests.books.test_cancel import poison
from tests.doors import TOKEN, bearer
from tests.one_process import OneProcess
from tests.seat_map.own_page import OwnPage
from tests.seat_map.test_receipt import lose
from tests.servers import wait_until
from tests.system import System
from tests.terms.backups import backup, restore
from tests.web import JSON

SEAT = "sec-2-row-E-seat-10"


@pytest.fixture
def database(guarded: System) -> Iterator[Database]:
    opened = Database(guarded.database_url)
    yield opened
    opened.close()


@pytest.fixture
def refused(guarded: System, gala: str, database: Database) -> str:
    """A purchase that SQL refuses: it has its seat already."""
    poison(OneProcess.build(guarded.redis.url, database), gala, SEAT)
    path, order = f"/api/v1/events/{gala}/purchases", json.dumps({"seats": [SEAT]}).encode()
    answer = guarded.request("POST", path, order, JSON | {"Idempotency-Key": str(uuid.uuid4())})
    assert answer.status == 200, answer.body
    bought: str = answer.json["purchaseId"]
    wait_until(lambda: state(guarded, bought) == "quarantined")
    return bought


def state(guarded: System, purchase: str) -> str:
    found: str = guarded.get(f"/api/v1/purchases/{purchase}").json["state"]
    return found


def decide(room: OwnPage, button: str, says: str, why: str = "", name: str = "") -> None:
    """Press a button, read what follows, and confirm it."""
    room("#decisions").get_by_role("button", name=button).click()
    dialog = room("#confirm")
    expect(dialog.locator("p")).to_contain_text(says)
    if why:
        room("#why").fill(why)
    if name:
        expect(dialog.locator("button[type=submit]")).to_be_disabled()
        room("#typed").fill(name)
    dialog.locator("button[type=submit]").click()


def test_quarantine_is_replayed(room: OwnPage, guarded: System, refused: str, database: Database) -> None:
    entry = room("#decisions article")
    expect(entry.locator("p")).to_contain_text("its seats stay sold. Replaying records it once the cause is mended")
    decide(room, "Replay", "If that fails, it stays here.")
    expect(room("#speech")).to_contain_text("rejects it")
    expect(entry).to_have_count(1)
    database.write(lambda connection: connection.execute(sold_seats.delete()))
    database.write(lambda connection: connection.execute(purchases.delete()))
    decide(room, "Replay", "The entry is recorded after all.", "the cause is mended")
    expect(room("#speech")).to_have_text("Done.")
    expect(entry).to_have_count(0)
    assert state(guarded, refused) == "persisted"
    expect(room("#audit")).to_contain_text("the cause is mended")


def test_quarantine_is_dismissed(room: OwnPage, guarded: System, gala: str, refused: str) -> None:
    expect(room("#decisions-title")).to_have_attribute("data-count", "1")
    decide(room, "Dismiss", "A purchase is cancelled and its seats return. This cannot be undone.", "refunded")
    expect(room("#decisions article")).to_have_count(0)
    assert state(guarded, refused) == "cancelled"
    assert guarded.get(f"/api/v1/events/{gala}").json["seatsSold"] == 0


def test_a_lost_purchase_has_no_seats_that_return(room: OwnPage, guarded: System, gala: str) -> None:
    bought = guarded.buy(event_id=gala, Prefer="wait=30").json["purchaseId"]
    wait_until(lambda: state(guarded, bought) == "persisted")
    lose(guarded, bought)
    entry = room("#decisions article")
    expect(entry.locator("p")).to_have_text(re.compile("^a test. It has no seats now: they may have new owners. "))
    room("#decisions").get_by_role("button", name="Replay").click()
    expect(room("#confirm p")).to_have_text(re.compile("^Its seats are sold to it again if they are free. "))
    room("#confirm").get_by_role("button", name="Leave it").click()
    decide(room, "Dismiss", "It is marked as cancelled; it has no seats that could return.", "refunded")
    expect(entry).to_have_count(0)
    assert state(guarded, bought) == "cancelled"
    assert guarded.get(f"/api/v1/events/{gala}").json["seatsSold"] == 1


@pytest.mark.parametrize(
    ("reason", "says", "buttons"),
    [
        (quarantine.POISON, "SQL refused it, and it is no purchase.", ["Replay", "Dismiss"]),
        (quarantine.FORK, "It is no purchase, so it cannot be replayed", ["Dismiss"]),
    ],
)
def test_what_is_no_purchase_is_not_said_to_be_one(
    room: OwnPage, guarded: System, gala: str, database: Database, *, reason: str, says: str, buttons: list[str]
) -> None:
    entry = LogEntry(Position(7, 4), change_json(Opened(5_000, 9)), "a link")
    database.write(quarantine.put_aside, [QuarantinedEntry(gala, entry, reason, "a test", None)])
    expect(room("#decisions article p")).to_contain_text(says)
    expect(room("#decisions article button")).to_have_text(buttons)
    decide(room, "Dismiss", "It is taken off this list, and nothing else changes.", "seen")
    expect(room("#decisions article")).to_have_count(0)
    assert guarded.get("/api/v1/quarantine", bearer(TOKEN)).json["entries"] == []


def test_a_loss_is_settled(room: OwnPage, guarded: System, gala: str, database: Database) -> None:
    database.write(answered.remember, {(gala, 7): ConfirmedRange(3, 4)})
    expect(room("#decisions article p")).to_contain_text("it brings nothing back, and it cannot be taken back.")
    decide(room, "Settle", "Do this after the buyers were told or refunded.", "both refunded")
    expect(room("#decisions article")).to_have_count(0)
    assert guarded.get("/api/v1/losses", bearer(TOKEN)).json["losses"] == []
    expect(room("#audit")).to_contain_text("both refunded")


def test_two_histories_are_merged(room: OwnPage, guarded: System, gala: str, database: Database) -> None:
    """SQL is restored from a backup, and the log does not reach back to it."""
    kept = backup(database)
    bought = [guarded.buy(event_id=gala, Prefer="wait=10").json["purchaseId"] for _ in range(2)]
    guarded.redis.client().xtrim(keys.log(gala), maxlen=1, approximate=False)
    restore(database, kept)
    bought.append(guarded.buy(event_id=gala).json["purchaseId"])
    expect(room("#decisions article p")).to_contain_text("Seats are still sold from Redis.")
    decide(room, "Merge Gala, prefer Redis", "the other history keeps goes to quarantine", "restored", "Gala")
    expect(room("#decisions article")).to_have_count(0)
    wait_until(lambda: [state(guarded, each) for each in bought] == ["persisted"] * 3)
    room.faults = [fault for fault in room.faults if "503" not in fault]  # Nothing is read while two become one.
