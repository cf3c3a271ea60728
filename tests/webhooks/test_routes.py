"""Operators add, list, pause, replay and remove webhooks, by routes and by commands; every act is on record."""

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seating.domain.webhook import MAX_WEBHOOKS
from seating.storage.database import Database
from tests import forked
from tests.doors import TOKEN
from tests.one_process import OPERATOR
from tests.processes import client, clock
from tests.system import PROJECT, clean_environment, free_port
from tests.users.conftest import Web, web
from tests.webhooks.endpoint import add, deliver, new_sender
from tests.webhooks.receiver import Receiver

__all__ = ["client", "clock", "web"]

_PATH = "/api/v1/webhooks"
_URL = "https://shop.example/hooks?token=t0ken"


class Desk:
    """An operator at a web process, with an event."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.event: str = self.ask("POST", "/api/v1/events", name="Field", totalSeats=10).json["id"]

    @property
    def database(self) -> Database:
        return self.web.services.database

    def ask(self, method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return self.web.client.open(path, method=method, json=body or None, headers=headers)

    def add(self, **body: Any) -> Any:
        added = self.ask("POST", _PATH, **{"url": _URL, **body})
        assert added.status_code == 201, added.data
        return added.json

    def buy(self, key: str) -> str:
        path, headers = f"/api/v1/events/{self.event}/purchases", {"Idempotency-Key": key.rjust(16, "-")}
        bought: Any = self.web.client.post(path, json={"quantity": 1}, headers=headers)
        self.web.services.persistence.run_now(self.event)
        return str(bought.json["position"])

    def acts(self) -> list[tuple[Any, ...]]:
        names = ("action", "eventId", "target", "before", "after", "why")
        acts = self.ask("GET", "/api/v1/audit").json["acts"]
        return [tuple(act[name] for name in names) for act in acts if act["action"].startswith("webhook.")]


@pytest.fixture
def desk(web: Callable[..., Web]) -> Desk:
    return Desk(web(admin_token=TOKEN))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


def test_the_life_of_a_webhook(desk: Desk) -> None:
    added = desk.add(types=["loss", "purchase.sold"], eventId=desk.event, why="the new shop")
    webhook_id, secret = added["id"], added.pop("secret")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert added == {
        "id": webhook_id,
        "url": _URL,
        "eventId": desk.event,
        "types": ["purchase.sold", "loss"],
        "state": "active",
        "createdAt": added["createdAt"],
        "pausedAt": None,
        "pausedWhy": None,
        "lag": 0,
        "failingSince": None,
        "error": None,
    }
    path = f"{_PATH}/{webhook_id}"
    position = desk.buy("key")
    shown = added | {"lag": 1}
    assert desk.ask("GET", path).json == shown
    assert desk.ask("GET", _PATH).json == {"webhooks": [shown], "next": None}
    (cursor,) = desk.ask("GET", f"{path}/cursors").json["cursors"]
    assert (cursor["eventId"], cursor["lag"], cursor["error"]) == (desk.event, 1, None)
    before = cursor["position"]

    paused = desk.ask("PATCH", path, state="paused", why="it moves").json
    assert (paused["state"], paused["pausedWhy"]) == ("paused", "paused by operator: it moves")
    assert desk.ask("PATCH", path, state="paused", why="again").json == paused
    assert desk.ask("PATCH", path, state="active").json == shown
    assert desk.ask("POST", f"{path}/replay", eventId=desk.event, since=position).status_code == 204
    assert desk.ask("GET", f"{path}/cursors").json["cursors"][0] == cursor, "it has not got that far"
    assert desk.ask("POST", f"{path}/replay", eventId=desk.event).status_code == 204
    assert desk.ask("GET", f"{path}/cursors").json["cursors"][0] == cursor | {"position": None, "lag": 3}
    assert before is not None
    rotated = desk.ask("POST", f"{path}/rotate?why=leaked").json
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", rotated["secret"])
    assert rotated.pop("secret") != secret
    assert rotated == shown | {"lag": 3}
    assert desk.ask("DELETE", f"{path}?why=over").status_code == 204
    assert desk.ask("GET", _PATH).json == {"webhooks": [], "next": None}
    assert desk.acts() == [
        ("webhook.remove", desk.event, webhook_id, "shop.example", None, "over"),
        ("webhook.rotate", desk.event, webhook_id, None, None, "leaked"),
        ("webhook.replay", desk.event, webhook_id, None, "all", None),
        ("webhook.replay", desk.event, webhook_id, None, f"since {position}", None),
        ("webhook.resume", desk.event, webhook_id, "paused", "active", None),
        ("webhook.pause", desk.event, webhook_id, "active", "paused", "it moves"),
        ("webhook.add", desk.event, webhook_id, None, "shop.example", "the new shop"),
    ]


def test_what_is_refused(desk: Desk) -> None:
    for body, status, code, field in (
        ({"url": "http://shop.example/"}, 400, "VALIDATION_ERROR", "url"),
        ({"url": "https://127.0.0.1/"}, 400, "VALIDATION_ERROR", "url"),
        ({"url": ""}, 400, "VALIDATION_ERROR", "url"),
        ({"types": ["sold"]}, 400, "VALIDATION_ERROR", "types.0"),
        ({"eventId": ""}, 400, "VALIDATION_ERROR", "eventId"),
        ({"eventId": "nosuchevent"}, 404, "EVENT_NOT_FOUND", None),
        ({"secret": "x"}, 400, "VALIDATION_ERROR", "secret"),
    ):
        refused = desk.ask("POST", _PATH, **{"url": _URL, **body})
        assert (refused.status_code, refused.json["code"]) == (status, code), body
        assert refused.json.get("field") == field
    for method, path, body in (
        ("GET", "", {}),
        ("PATCH", "", {"state": "paused"}),
        ("PATCH", "", {"state": "active"}),
        ("DELETE", "", {}),
        ("GET", "/cursors", {}),
        ("POST", "/replay", {"eventId": desk.event}),
        ("POST", "/rotate", {}),
    ):
        for webhook_id in ("aaaaaaaaaa", "no such one", "x" * 300):
            refused = desk.ask(method, f"{_PATH}/{webhook_id}{path}", **body)
            assert (refused.status_code, refused.json["code"]) == (404, "WEBHOOK_NOT_FOUND")
    assert desk.acts() == []


def test_replays_that_are_refused(desk: Desk) -> None:
    path = f"{_PATH}/{desk.add(eventId=desk.event)['id']}/replay"
    other: str = desk.ask("POST", "/api/v1/events", name="Other", totalSeats=10).json["id"]
    position = desk.buy("key")
    epoch, _, seq = position.partition("-")
    for body, status, field in (
        ({"since": "last"}, 400, "since"),
        ({"since": f"{epoch}-{int(seq) + 1}"}, 400, "since"),
        ({"since": f"{int(epoch) - 1}-{seq}"}, 400, "since"),
        ({"eventId": other}, 400, "eventId"),
        ({"eventId": "nosuchevent"}, 404, None),
    ):
        refused = desk.ask("POST", path, **{"eventId": desk.event, **body})
        assert (refused.status_code, refused.json.get("field")) == (status, field), body


def test_there_are_only_so_many(desk: Desk) -> None:
    for _ in range(MAX_WEBHOOKS):
        last = desk.add()
    refused = desk.ask("POST", _PATH, url=_URL)
    assert (refused.status_code, refused.json["code"]) == (409, "TOO_MANY_WEBHOOKS")
    first, rest = desk.ask("GET", f"{_PATH}?limit=20").json, []
    while first["next"]:
        rest += first["webhooks"]
        first = desk.ask("GET", f"{_PATH}?limit=20&cursor={first['next']}").json
    assert len({webhook["id"] for webhook in rest + first["webhooks"]}) == MAX_WEBHOOKS
    assert desk.ask("DELETE", f"{_PATH}/{last['id']}").status_code == 204
    desk.add()


def test_private_addresses_if_they_are_allowed(web: Callable[..., Web], receiver: Receiver) -> None:
    desk = Desk(web(admin_token=TOKEN, webhook_allow_private=True))
    desk.add(url=receiver.url(), eventId=desk.event)
    desk.buy("key")
    deliver(new_sender(desk.database))
    assert [received.type for received in receiver.accepted] == ["purchase.sold"]


def test_commands(sqlite_url: str, tmp_path: Path) -> None:
    environment = clean_environment() | {"SEATING_DATA_DIR": str(tmp_path), "DATABASE_URL": sqlite_url}

    def seating(*words: str, status: int = 0) -> str:
        done = forked.run(("webhooks", *words), tmp_path, environment)
        assert done.returncode == status, done.stderr
        return done.stderr if status else done.stdout

    webhook_id, secret = seating("add", _URL, "--types", "purchase.sold,loss", "--why", "a shop").split()
    assert secret.startswith("whsec_")
    assert seating("pause", webhook_id, "--why", "it moves") == "paused\n"
    (listed,) = json.loads(seating("list", "--json"))
    assert (listed["id"], listed["state"], listed["types"]) == (webhook_id, "paused", ["purchase.sold", "loss"])
    in_words = seating("list")
    heading, row = in_words.splitlines()
    assert heading.startswith("ID ")
    assert re.fullmatch(
        rf"{webhook_id} +paused +0 +{re.escape(_URL)} +purchase.sold, loss +paused by cli:.*: it moves", row
    )
    assert secret not in in_words + json.dumps(listed)
    renewed = seating("rotate", webhook_id).strip()
    assert renewed.startswith("whsec_")
    assert renewed != secret
    assert "no such event" in seating("replay", webhook_id, "--event", "demo", status=2)
    assert seating("remove", webhook_id) == "removed\n"


def test_the_receiver_of_the_documentation(desk: Desk, tmp_path: Path) -> None:
    """It takes each message once, and refuses what was not signed for it."""
    (program,) = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "webhooks.md").read_text(), re.DOTALL)
    port, log = free_port(), tmp_path / "log"
    receiver = Receiver()
    receiver.stop()
    receiver.port = port
    webhook = add(desk.database, receiver, desk.event)
    environment = clean_environment() | {"WEBHOOK_SECRET": webhook.secret, "PORT": str(port)}
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=output, stderr=output)
    try:
        position = desk.buy("key")
        sender = new_sender(desk.database)
        deliver(sender)
        desk.web.services.webhooks.replay(webhook.id, desk.event, None, OPERATOR)
        deliver(sender)
        forged = {"webhook-id": "msg_x", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
        assert _post(port, forged) == 401
    finally:
        process.terminate()
        process.wait(20)
    told = [line for line in log.read_text().splitlines() if line.startswith(("purchase.", "event."))]
    assert told.count(f"purchase.sold msg_{desk.event}.{position}") == 1
    assert len(told) == 2


def _post(port: int, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/", b"{}", headers)
    return connection.getresponse().status
