"""API keys: made, listed, taken back, and what each lets its holder do."""

import json
import os
import pwd
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seating.domain.caller import ANONYMOUS, Caller, Role
from seating.services.audit import Audit
from seating.storage import migrations
from seating.storage.api_keys import MOST_KEYS, ApiKeys, InvalidKeyFile, OtherRole
from seating.storage.database import Database
from seating.storage.replica import LaggingReads
from tests import forked
from tests.doors import TOKEN, assert_unauthorized, bearer, web_alone
from tests.system import Answer, System, clean_environment
from tests.web import JSON, assert_problem

NOW = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeys:
    return ApiKeys(tmp_path / "api-keys")


def test_a_key_is_found_by_its_secret_alone(keys: ApiKeys) -> None:
    secret = keys.add("shop", Role.SELL, NOW)
    assert keys.find(secret) == Caller("shop", Role.SELL)
    assert [keys.find(wrong) for wrong in ("", secret[:-1], secret + "x", secret.upper(), "\udcff")] == [None] * 5


def test_only_a_hash_is_kept_and_only_its_owner_reads_it(keys: ApiKeys, tmp_path: Path) -> None:
    secret = keys.add("shop", Role.SELL, NOW)
    file = tmp_path / "api-keys"
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_keeps_its_owner_and_mode(keys: ApiKeys, tmp_path: Path) -> None:
    """An administrator who adds a key as root must not take the file from the processes that read it."""
    keys.add("shop", Role.SELL, NOW)
    file = tmp_path / "api-keys"
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 65534, 65533)
    before = file.stat()
    keys.add("other", Role.SELL, NOW)
    after = file.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)


def test_a_name_has_one_role(keys: ApiKeys) -> None:
    keys.add("shop", Role.SELL, NOW)
    with pytest.raises(OtherRole, match="sell"):
        keys.add("shop", Role.OPERATE, NOW)
    assert not keys.has_operator()


def test_what_another_process_changes_is_noticed(keys: ApiKeys, tmp_path: Path) -> None:
    secret = keys.add("shop", Role.SELL, NOW)
    other = ApiKeys(tmp_path / "api-keys")
    assert other.find(secret)
    second = keys.add("shop", Role.SELL, NOW)
    assert (other.find(secret), other.find(second)) == (Caller("shop", Role.SELL),) * 2
    (first_id,) = (key.id for key in keys.all() if keys.all().index(key) == 0)
    assert keys.remove(lambda key: key.id == first_id) == 1
    assert (other.find(secret), other.find(second)) == (None, Caller("shop", Role.SELL))
    (tmp_path / "api-keys").unlink()
    assert other.find(second) is None


@pytest.mark.parametrize(
    "line",
    [
        "shop sell",
        f"shop boss {'0' * 64} {NOW}",
        f"shop sell {'g' * 64} {NOW}",
        f"{ANONYMOUS.name} sell {'0' * 64} {NOW}",
        f"operator operate {'0' * 64} {NOW}",
        f"Shop sell {'0' * 64} {NOW}",
    ],
)
def test_a_line_that_cannot_be_read_is_no_key_and_spoils_no_other(keys: ApiKeys, tmp_path: Path, line: str) -> None:
    secret = keys.add("shop", Role.SELL, NOW)
    with (tmp_path / "api-keys").open("a") as file:
        file.write(f"{line}\n")
    assert keys.find(secret) == Caller("shop", Role.SELL)
    with pytest.raises(InvalidKeyFile, match="line 3 "):
        keys.all()
    with pytest.raises(InvalidKeyFile):
        keys.add("other", Role.SELL, NOW)


def test_keys_are_removed_whatever_other_lines_are(keys: ApiKeys, tmp_path: Path) -> None:
    """And those stay to the byte, for whoever mends them."""
    file = tmp_path / "api-keys"
    secret = keys.add("shop", Role.SELL, NOW)
    before = b"# ours \xc3\xa9\r\nleaver sell\n\n" + file.read_bytes()
    file.write_bytes(before + f"leaver operate {'0' * 64} {NOW}\nleaver sell {'1' * 64} {NOW}\nbox office".encode())
    assert keys.remove(lambda key: key.name == "leaver") == 2
    assert file.read_bytes() == before + b"box office"
    assert keys.find(secret) == Caller("shop", Role.SELL)
    assert keys.remove(lambda key: key.name == "leaver") == 0


def test_too_many_keys_can_be_made_fewer(keys: ApiKeys, tmp_path: Path) -> None:
    secret = keys.add("shop", Role.SELL, NOW)
    others = "".join(f"old-{number} sell {number:064x} {NOW}\n" for number in range(MOST_KEYS))
    file = tmp_path / "api-keys"
    file.write_text(others + file.read_text())
    with pytest.raises(InvalidKeyFile, match="more than"):
        keys.all()
    assert keys.find(secret) is None
    assert keys.remove(lambda key: key.name == "old-1") == 1
    assert keys.find(secret) == Caller("shop", Role.SELL)


def test_keys_with_one_id_are_told_apart(keys: ApiKeys, tmp_path: Path) -> None:
    secret = keys.add("shop", Role.SELL, NOW)
    (shop,) = keys.all()
    lines = [f"{name} read {shop.id}{digit * 56} {NOW}\n" for name, digit in (("before", "0"), ("after", "f"))]
    (tmp_path / "api-keys").write_text(f"{lines[0]}{shop}\n{lines[1]}")
    assert keys.find(secret) == Caller("shop", Role.SELL)


def test_a_file_that_cannot_be_read_now_is_read_later(keys: ApiKeys, tmp_path: Path) -> None:
    """As by a process that has all the files open that it may. Until then no key is good, and no door is open."""
    secret = keys.add("shop", Role.SELL, NOW)
    other = ApiKeys(tmp_path / "api-keys")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(InvalidKeyFile):
            other.find(secret)
        unread = other.has_operator()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert unread
    assert (other.find(secret), other.has_operator()) == (Caller("shop", Role.SELL), False)


def test_two_who_add_at_once_lose_nothing(tmp_path: Path) -> None:
    commands = [_start(tmp_path, "keys", "add", f"shop-{number}", "--role", "sell") for number in range(3)]
    secrets = [process.communicate(timeout=60)[0].strip() for process in commands]
    found = ApiKeys(tmp_path / "api-keys")
    assert {found.find(secret) for secret in secrets} == {Caller(f"shop-{number}", Role.SELL) for number in range(3)}


def _start(folder: Path, *words: str, **settings: str) -> "subprocess.Popen[str]":
    environment = clean_environment() | {"SEATING_DATA_DIR": str(folder)} | settings
    return subprocess.Popen(
        [sys.executable, "-m", "seating", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def seating(folder: Path, *words: str) -> tuple[int, str, str]:
    done = forked.run(words, folder, clean_environment() | {"SEATING_DATA_DIR": str(folder)})
    return done.returncode, done.stdout, done.stderr


def test_the_command_line(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'seating.db'}")
    migrations.upgrade(database)
    status, secret, _ = seating(tmp_path, "keys", "add", "shop", "--role", "sell")
    assert (status, ApiKeys(tmp_path / "api-keys").find(secret.strip())) == (0, Caller("shop", Role.SELL))
    listed = json.loads(seating(tmp_path, "keys", "list", "--json")[1])
    assert [(key["name"], key["role"]) for key in listed] == [("shop", "sell")]
    assert secret.strip() not in json.dumps(listed)
    status, _, error = seating(tmp_path, "keys", "add", "shop", "--role", "operate")
    assert status == 2
    assert "--role" in error
    status, _, error = seating(tmp_path, "keys", "add", "Shop", "--role", "sell")
    assert status == 2
    assert "NAME" in error
    assert seating(tmp_path, "keys", "remove", "shop", "--id", listed[0]["id"])[:2] == (0, "removed 1\n")
    assert seating(tmp_path, "keys", "remove", "shop")[0] == 2
    acts = Audit(database, LaggingReads(database)).page(None, 10).items
    assert [(row.act.action, row.act.target) for row in acts] == [("key.remove", "shop"), ("key.add", "shop")]
    assert {row.act.actor.name for row in acts} == {f"cli:{pwd.getpwuid(os.getuid()).pw_name}"}


class Shop:
    """A web process with a key of each role, and one more of the shop's name."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.keys = ApiKeys(system.folder / "api-keys")
        self.secrets = {role: self.keys.add(f"the-{role}", role, NOW) for role in Role}
        self.second = self.keys.add(f"the-{Role.SELL}", Role.SELL, NOW)
        self.event = json.loads(
            system.request(
                "POST", "/api/v1/events", b'{"name":"A","totalSeats":100}', JSON | bearer(self.secrets[Role.OPERATE])
            ).body
        )["id"]

    def __getitem__(self, role: Role) -> dict[str, str]:
        return bearer(self.secrets[role])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with web_alone(tmp_path_factory.mktemp("keys"), ADMIN_TOKEN=TOKEN, RATE_LIMIT_SHOPS="5/1h") as running:
        running.start_part("worker")
        yield Shop(running)


def test_a_shop_has_idempotency_keys_of_its_own(shop: Shop) -> None:
    key = "order-1001-of-the-season"
    own = shop.system.buy(1, key, shop.event, **shop[Role.SELL])
    again = shop.system.buy(1, key, shop.event, **bearer(shop.second))
    stranger = shop.system.buy(1, key, shop.event)
    assert (own.status, again.body) == (200, own.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert stranger.json["purchaseId"] != own.json["purchaseId"]


def test_whoever_has_a_key_may_send_short_ones_and_a_stranger_may_not(shop: Shop) -> None:
    own = shop.system.buy(1, "1001", shop.event, **bearer(TOKEN))
    assert own.status == 200
    for key in ("1001", "k" * 15):
        refused = assert_problem(shop.system.buy(1, key, shop.event), 400, "INVALID_IDEMPOTENCY_KEY")
        assert "at least 16 characters" in refused["message"]
        assert "another buyer's" in refused["message"]
    assert shop.system.buy(1, "k" * 16, shop.event).status == 200


def test_a_shop_lists_its_own_purchases_and_a_reader_all(shop: Shop) -> None:
    own = shop.system.buy(1, None, shop.event, Prefer="wait=20", **shop[Role.SELL]).json["purchaseId"]
    other = shop.system.buy(1, None, shop.event, Prefer="wait=20").json["purchaseId"]

    def listed(role: Role) -> set[str]:
        page = shop.system.get(f"/api/v1/events/{shop.event}/purchases", shop[role])
        return {purchase["purchaseId"] for purchase in page.json["purchases"]}

    assert own in listed(Role.SELL)
    assert other not in listed(Role.SELL)
    assert {own, other} <= listed(Role.READ) == listed(Role.OPERATE)


def test_a_buyer_is_believed_with_a_key_alone(shop: Shop) -> None:
    said = {"quantity": 1, "reference": "A-7", "buyer": "c-2077", "note": "at the door"}
    path = f"/api/v1/events/{shop.event}/purchases"

    def buy(key: dict[str, str], **more: object) -> Answer:
        headers = JSON | {"Idempotency-Key": "a-buyer-of-a-shop", "Prefer": "wait=20"} | key
        return shop.system.request("POST", path, json.dumps(said | more).encode(), headers)

    assert_problem(buy({}), 400, "VALIDATION_ERROR", "buyer")
    for field, length in (("buyer", 65), ("note", 201)):
        too_long = buy(shop[Role.OPERATE], **{field: "x" * length})
        assert (too_long.status, too_long.json["field"]) == (400, field)
    bought = buy(shop[Role.OPERATE])
    assert bought.status == 200
    assert buy(shop[Role.OPERATE]).body == bought.body
    assert_problem(buy(shop[Role.OPERATE], note="another"), 422, "IDEMPOTENCY_KEY_REUSED")
    (listed,) = shop.system.get(f"{path}?reference=A-7", shop[Role.READ]).json["purchases"]
    assert said.items() <= listed.items()
    address = f"/api/v1/purchases/{bought.json['purchaseId']}"
    public = shop.system.get(address).json
    assert (public["state"], public["quantity"], public["reference"]) == ("persisted", 1, None)
    assert not {"buyer", "note"} & public.keys()
    for role in (Role.READ, Role.OPERATE):
        assert said.items() <= shop.system.get(address, shop[role]).json.items()
    assert b"c-2077" not in bought.body
    for log in shop.system.folder.rglob("*.log"):
        assert "c-2077" not in log.read_text(), log


def test_a_shop_reads_its_own_purchases_and_no_other_shops(shop: Shop) -> None:
    headers = JSON | {"Idempotency-Key": "which-shop-may-read-it", "Prefer": "wait=20"}
    said = {"reference": "A-8", "note": "at the door"}
    others = bearer(shop.keys.add("another-shop", Role.SELL, NOW))

    def buy(key: dict[str, str]) -> str:
        body = json.dumps({"quantity": 1, **said}).encode()
        path = f"/api/v1/events/{shop.event}/purchases"
        bought: str = shop.system.request("POST", path, body, headers | key).json["purchaseId"]
        return f"/api/v1/purchases/{bought}"

    own, strangers = buy(others), buy({})
    assert said.items() <= shop.system.get(own, others).json.items()
    assert_problem(shop.system.get(own, shop[Role.SELL]), 404, "PURCHASE_NOT_FOUND")
    assert_problem(shop.system.get(own, bearer("wrong" * 10)), 401, "UNAUTHORIZED")
    for key in ({}, others):
        found = shop.system.get(strangers, key).json
        assert (found["reference"], found.keys() & {"buyer", "note"}) == ("A-8", set())


def test_a_shop_has_a_rate_limit_of_its_own(shop: Shop) -> None:
    answers = [shop.system.buy(1, None, shop.event, **shop[Role.SELL]) for _ in range(6)]
    refused = assert_problem(answers[-1], 429, "RATE_LIMITED")
    assert refused["limit"] == "5 in 3600 s"
    assert answers[-1].headers["RateLimit-Policy"] == '"5-in-3600s";q=5;w=3600'
    assert shop.system.buy(1, None, shop.event).status == 200


def test_a_wrong_role_is_told(shop: Shop) -> None:
    before = shop.system.get("/api/v1/event").json
    refused = shop.system.buy(1, **shop[Role.READ])
    assert assert_problem(refused, 403, "FORBIDDEN")["role"] == "read"
    assert shop.system.get("/api/v1/event").json == before


def test_a_key_that_is_taken_back_is_none_at_once(shop: Shop) -> None:
    secret = shop.keys.add("leaver", Role.OPERATE, NOW)
    assert shop.system.get("/api/v1/quarantine", bearer(secret)).status == 200
    shop.keys.remove(lambda key: key.name == "leaver")
    assert_unauthorized(shop.system.get("/api/v1/quarantine", bearer(secret)))


def test_no_secret_reaches_a_log(shop: Shop) -> None:
    wrong = "seating-operate-a-key-that-never-was"
    shop.system.get("/api/v1/quarantine", bearer(wrong))
    shop.system.get("/api/v1/quarantine", bearer(TOKEN))
    logged = shop.system.parts["web"].log.read_text()
    assert not [secret for secret in (wrong, TOKEN, shop.second, *shop.secrets.values()) if secret in logged]


def test_who_tries_keys_is_refused_for_a_while(tmp_path: Path) -> None:
    with web_alone(tmp_path, ADMIN_TOKEN=TOKEN, RATE_LIMIT_WRONG_KEYS="3/1h") as system:
        tried = [system.get("/api/v1/quarantine", bearer(f"guess-{number}")) for number in range(5)]
        assert [answer.status for answer in tried] == [401, 401, 401, 429, 429]
        assert int(tried[4].headers["Retry-After"]) > 3000
        assert system.get("/api/v1/quarantine", bearer(TOKEN)).status == 200
        assert system.buy(1).status == 200
        assert b"seating_wrong_keys_total 4.0" in system.get("/metrics", {"Accept": "text/plain"}).body


def test_sales_can_be_closed_to_strangers(tmp_path: Path) -> None:
    with web_alone(tmp_path, ADMIN_TOKEN=TOKEN, SELL_REQUIRES_KEY="true") as system:
        secret = ApiKeys(system.folder / "api-keys").add("shop", Role.SELL, NOW)
        hold = ("POST", "/api/v1/events/demo/holds", b'{"quantity":1}')
        for refused in (system.buy(1), system.buy(1, event_id="demo"), system.request(*hold, JSON)):
            assert_unauthorized(refused)
        assert system.buy(1, **bearer(secret)).status == 200
        held = system.request(*hold, JSON | bearer(secret))
        assert held.status == 201
        token = f"/api/v1/events/demo/holds/{held.json['holdToken']}"
        assert system.get(token).json["seats"] == held.json["seats"]  # Who has the token may read it.
        assert_unauthorized(system.request("DELETE", token))
        assert system.request("DELETE", token, headers=bearer(secret)).status == 204


def test_the_data_folder_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    process = _start(folder.parent, "keys", "list", SEATING_DATA_DIR=str(folder))
    assert process.wait(60) == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
