"""Every act through a route is on record: who did what to what, before and after, from where, and why."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import orjson
import pytest
import structlog

from seating.domain.change_json import change_json
from seating.domain.changes import Purchased
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.seating_plan import SeatRange
from seating.storage import answered
from seating.storage.answered import ConfirmedRange
from seating.storage.database import Database
from seating.storage.quarantine import FORK, QuarantinedEntry, put_aside
from seating.storage.tables import audit, ledger
from tests.doors import TOKEN
from tests.processes import client, clock
from tests.terms.backups import backup, restore
from tests.users.conftest import Web, web

__all__ = ["client", "clock", "web"]

_HALL = {"generate": {"sections": 1, "rows": 2, "seatsPerRow": 5}}
_SEAT = "sec-1-row-B-seat-1"
_REASONS = [
    "rain",
    "Größe 席 👩‍🦽",
    "=1+1",
    "x" * 300,
    'it\'s "sold", 100 % - %s %d %% {0} \\n \\',
]
_LONGEST = "x" * 1_000
_NO_REASONS = ["", " ", "x" * 1_001, "a\nb", "a\x00b", "\x1b[2J", "a\x85b", "a\u2028b", "a\u202eb"]


class Desk:
    """An operator at a web process, with an event that is the default one."""

    def __init__(self, start: Callable[..., Web]) -> None:
        self.number = 0
        self.web = start(admin_token=TOKEN)
        created = self.ask("POST", "/api/v1/events", name="Hall", seatingPlan=_HALL, why="season")
        self.event: str = created.json["id"]
        self.web = start(admin_token=TOKEN, default_event=self.event)
        self.path = f"/api/v1/events/{self.event}"

    @property
    def database(self) -> Database:
        return self.web.services.database

    @property
    def last_request(self) -> str:
        return f"request-{self.number:04}"

    def ask(self, method: str, path: str, **body: Any) -> Any:
        self.number += 1
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Request-Id": self.last_request}
        return self.web.client.open(path, method=method, json=body or None, headers=headers)

    def buy(self, key: str) -> str:
        """The id of a new purchase."""
        bought: Any = self.web.client.post(
            f"{self.path}/purchases", json={"quantity": 1}, headers={"Idempotency-Key": key.rjust(16, "-")}
        )
        return str(bought.json["purchaseId"])

    def persist(self) -> None:
        self.web.services.persistence.run_now(self.event)

    def acts(self, query: str = "") -> list[Any]:
        listed = self.ask("GET", f"/api/v1/audit?{query}")
        assert listed.status_code == 200, listed.data
        return list(listed.json["acts"])

    def told(self) -> list[tuple[Any, ...]]:
        return [tuple(act[name] for name in ("action", "target", "before", "after", "why")) for act in self.acts()]

    def put_aside(self, change: str, seq: int) -> str:
        """Puts an entry of another history into quarantine; where it waits."""
        entry = LogEntry(Position(1, seq), change, f"{seq:040x}")
        aside = QuarantinedEntry(self.event, entry, FORK, "a seat has another owner", None)
        self.database.write(put_aside, [aside])
        return f"/api/v1/quarantine/{self.event}/{entry.position}"


@pytest.fixture
def desk(web: Callable[..., Web]) -> Desk:
    return Desk(web)


def test_acts_that_change_an_inventory(desk: Desk) -> None:
    """Each is listed once SQL has its entry in the ledger, which names the actor too; what changes nothing is not."""
    purchase = desk.buy("k")
    asked = []
    for method, path, body in (
        ("PATCH", desk.path, {"state": "paused", "why": "rain"}),
        ("PATCH", f"/seats/{_SEAT}", {"status": "reserved", "why": "a camera stands there"}),
        ("PATCH", f"/seats/{_SEAT}", {"status": "sold"}),
        ("DELETE", f"/api/v1/purchases/{purchase}?why=refunded%20%26%20called", {}),
    ):
        assert desk.ask(method, path, **body).status_code == 200
        asked.append(desk.last_request)
        assert desk.ask(method, path, **body).status_code == 200
    assert [act[0] for act in desk.told()] == ["event.create"]
    desk.persist()
    assert desk.told() == [
        ("purchase.cancel", purchase, "sold", "cancelled", "refunded & called"),
        ("seat.set", _SEAT, "reserved", "sold", None),
        ("seat.set", _SEAT, "available", "reserved", "a camera stands there"),
        ("event.state", None, "on_sale", "paused", "rain"),
        ("event.create", None, None, "on_sale", "season"),
    ]
    acts = desk.acts()
    assert {(act["actor"], act["address"], act["eventId"]) for act in acts} == {("operator", "127.0.0.1", desk.event)}
    assert [act["requestId"] for act in acts] == [*reversed(asked), "request-0001"]
    recorded = desk.database.read(lambda connection: connection.execute(ledger.select()).all())
    named = {f"{row.epoch}-{row.seq}": orjson.loads(row.change) for row in recorded if '"by"' in row.change}
    assert [named.pop(act["position"]) for act in acts] != []
    assert named == {}
    assert acts[0]["at"].endswith("Z")


def test_acts_without_a_log_entry(desk: Desk) -> None:
    """A cache emptied, a loss settled, and entries in quarantine put to rest."""
    desk.web.get("/users/1")
    assert desk.ask("DELETE", "/cache?why=stale").status_code == 200
    assert desk.ask("DELETE", "/users/cache").status_code == 200
    desk.database.write(answered.remember, {(desk.event, 7): ConfirmedRange(3, 4)})
    assert desk.ask("POST", f"/api/v1/losses/{desk.event}.7/settle", why="both refunded").status_code == 204
    assert desk.ask("POST", f"/api/v1/losses/{desk.event}.7/settle", why="again").status_code == 404
    waiting = desk.put_aside('{"kind":"state","at":1,"state":"paused"}', 4)
    assert desk.ask("DELETE", f"{waiting}?why=over").status_code == 204
    assert desk.ask("DELETE", waiting).status_code == 404
    purchase = _fork(desk, 5)
    assert desk.ask("DELETE", f"/api/v1/quarantine/{desk.event}/1-5").status_code == 204
    assert desk.told()[:-1] == [
        ("purchase.cancel", purchase, "quarantined", "cancelled", None),
        ("quarantine.cancel", "1-4", "quarantined", "cancelled", "over"),
        ("loss.settle", "7", "2 changes from 7-3 to 7-4", "settled", "both refunded"),
        ("cache.clear", "users", "0 entries", "empty", None),
        ("cache.clear", "users", "1 entries", "empty", "stale"),
    ]
    acts = desk.acts()
    assert [(act["position"], act["eventId"]) for act in acts[:-1]] == [(None, desk.event)] * 3 + [(None, None)] * 2


def _fork(desk: Desk, seq: int) -> str:
    """The id of a purchase of another history, which waits in quarantine."""
    runs, nonce = [SeatRange(0, 0, 1)], "0123456789abcdef"
    change = Purchased(5_000, 1, 9, runs, nonce, "hash", "print", 1, None)
    desk.put_aside(change_json(change), seq)
    return f"{desk.event}.1-{seq}.{nonce}"


def test_replaying_a_purchase_of_another_history(desk: Desk) -> None:
    """The act is of now, whenever the buyer was answered."""
    purchase = _fork(desk, 5)
    assert desk.ask("POST", f"/api/v1/quarantine/{desk.event}/1-5/replay?why=paid").status_code == 204
    assert [act[0] for act in desk.told()] == ["event.create"]
    desk.persist()
    assert desk.told()[0] == ("quarantine.replay", purchase, "quarantined", "sold", "paid")
    (act, created) = desk.acts()
    assert act["at"] >= created["at"]
    assert desk.web.get(f"/api/v1/purchases/{purchase}").json["purchasedAt"].startswith("1970")


def test_merging(desk: Desk) -> None:
    """Acts that SQL lost come back with the history that Redis has, as far as its log reaches; none comes twice."""
    older = backup(desk.database)
    assert desk.ask("PATCH", f"/seats/{_SEAT}", status="reserved", why="a camera").status_code == 200
    purchase = desk.buy("k")
    assert desk.ask("DELETE", f"/api/v1/purchases/{purchase}").status_code == 200
    desk.persist()
    before = desk.acts()
    restore(desk.database, {table: rows for table, rows in older.items() if table is audit})
    assert len(desk.acts()) == 1
    assert desk.ask("POST", f"{desk.path}/merge", prefer="redis", why="the disk was replaced").status_code == 200
    merged, *others = desk.acts()
    assert (merged["action"], merged["why"]) == ("event.merge", "the disk was replaced")
    assert (merged["before"], merged["after"]) == (None, merged["position"])
    assert [act | {"id": 0} for act in others] == [act | {"id": 0} for act in before]
    desk.persist()
    assert desk.acts() == [merged, *others]


def test_reasons_are_kept_to_the_letter(desk: Desk) -> None:
    """Whatever script writes them, and the chain stays whole."""
    asked = ["season"]
    for number, why in enumerate([*_REASONS, _LONGEST]):
        purchase = desk.buy(f"k{number}")
        short = why[:300]
        assert desk.ask("DELETE", f"/api/v1/purchases/{purchase}?why={quote(short)}").status_code == 200
        status = ("held", "reserved")[number % 2]
        assert desk.ask("PATCH", f"/seats/{_SEAT}", status=status, why=why).status_code == 200
        for state in ("paused", "on_sale"):
            assert desk.ask("PATCH", desk.path, state=state, why=why).status_code == 200
        asked += [short, why, why, why]
    why = _REASONS[-1]
    _fork(desk, 5)
    assert desk.ask("POST", f"/api/v1/quarantine/{desk.event}/1-5/replay?why={quote(why)}").status_code == 204
    desk.persist()
    assert [act["why"] for act in desk.acts()] == [why, *reversed(asked)]
    assert desk.web.services.books.verify(desk.event).broken is None
    assert desk.web.services.books.reconcile(desk.event) == []


def test_reasons_that_are_refused(desk: Desk) -> None:
    purchase = desk.buy("k")
    for why in _NO_REASONS:
        for method, path, body in (
            ("PATCH", f"/seats/{_SEAT}", {"status": "reserved", "why": why}),
            ("PATCH", desk.path, {"state": "paused", "why": why}),
            ("POST", "/api/v1/events", {"name": "x", "totalSeats": 1, "why": why}),
            ("POST", f"{desk.path}/merge", {"prefer": "sql", "why": why}),
            ("DELETE", f"/api/v1/purchases/{purchase}?why={quote(why)}", {}),
            ("DELETE", f"/cache?why={quote(why)}", {}),
            ("POST", f"/api/v1/quarantine/{desk.event}/1-5/replay?why={quote(why)}", {}),
        ):
            refused = desk.ask(method, path, **body)
            assert (refused.status_code, refused.json["field"]) == (400, "why"), (method, path, why)
    desk.persist()
    assert [act[0] for act in desk.told()] == ["event.create"]


def test_paging_and_filters(desk: Desk) -> None:
    for number in range(7):
        assert desk.ask("DELETE", f"/cache?why={number}").status_code == 200
    pages: list[list[Any]] = []
    cursor: Any = ""
    while cursor is not None:
        listed = desk.ask("GET", f"/api/v1/audit?limit=3{cursor and f'&cursor={cursor}'}").json
        pages.append([act["why"] for act in listed["acts"]])
        cursor = listed["next"]
        if len(pages) == 1:  # What is new does not move the pages behind.
            desk.ask("DELETE", "/cache?why=new")
    assert pages == [["6", "5", "4"], ["3", "2", "1"], ["0", "season"]]
    assert [act["action"] for act in desk.acts(f"event={desk.event}")] == ["event.create"]
    assert desk.acts("event=nowhere") == desk.acts("actor=nobody") == []
    assert len(desk.acts("actor=operator")) == 9
    for query, field in {"cursor=0": "cursor", "limit=201": "limit", "actor=%00": "actor", "x=1": "x"}.items():
        refused = desk.ask("GET", f"/api/v1/audit?{query}")
        assert (refused.status_code, refused.json["field"]) == (400, field)
    assert desk.web.get("/api/v1/audit").status_code == 401


def test_an_act_that_sql_does_not_take_is_in_the_log(desk: Desk) -> None:
    desk.web.get("/users/1")
    desk.database.write(lambda connection: audit.drop(connection))
    with structlog.testing.capture_logs() as said:
        cleared = desk.ask("DELETE", "/cache?why=stale")
    assert cleared.json["entriesRemoved"] == 1
    (line,) = [line for line in said if line["log_level"] == "error"]
    assert line["event"] == "act not recorded"
    told = {"actor": "operator", "address": "127.0.0.1", "request_id": desk.last_request, "why": "stale"}
    assert (told | {"action": "cache.clear", "target": "users", "before": "1 entries"}).items() <= line.items()
