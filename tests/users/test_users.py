"""Users over both databases: what is answered, what is refused, and what is cached."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seating.domain.caller import Role
from seating.storage.api_keys import ApiKeys
from seating.storage.tables import users
from tests.doors import TOKEN
from tests.moved_clock import MovedClock
from tests.one_process import on_sqlite
from tests.users.conftest import Web

Start = Callable[..., Web]


def test_a_fresh_database_has_five(web: Start) -> None:
    listed = web().get("/users")
    assert listed.status_code == 200
    assert [(user["id"], user["name"], user["email"]) for user in listed.json] == [
        ("1", "Alice Johnson", "alice@example.com"),
        ("2", "Bob Smith", "bob@example.com"),
        ("3", "Charlie Brown", "charlie@example.com"),
        ("4", "Diana Prince", "diana@example.com"),
        ("5", "Evan Wright", "evan@example.com"),
    ]
    assert listed.json[0] == {
        "id": "1",
        "name": "Alice Johnson",
        "email": "alice@example.com",
        "plan": "free",
        "isActive": True,
        "createdAt": "2026-01-01T00:00:00.000Z",
    }


def test_the_list_is_paged(web: Start) -> None:
    one = web()
    path: str | None = "/users?limit=2"
    pages = []
    while path:
        page = one.get(path)
        pages.append([user["id"] for user in page.json])
        path = page.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert pages == [["1", "2"], ["3", "4"], ["5"]]


def test_is_read_once_and_then_cached_for_all_processes(web: Start) -> None:
    one, other = web(), web()
    answers = [one.get("/users/1"), one.get("/users/1"), other.get("/users/1")]
    assert [answer.headers["X-Cache"] for answer in answers] == ["MISS", "HIT", "HIT"]
    assert len({answer.data for answer in answers}) == 1
    assert (len(one.queries), len(other.queries)) == (1, 0)
    assert answers[0].data == web().get("/users?limit=1").data[1:-1]


def test_nobody_is_remembered_for_a_second(web: Start, clock: MovedClock) -> None:
    one = web()
    for source in ("MISS", "HIT"):
        answer = one.get("/users/nobody")
        assert answer.status_code == 404
        assert (answer.json["error"], answer.json["code"]) == ("User not found", "USER_NOT_FOUND")
        assert answer.headers["X-Cache"] == source
        assert answer.content_type == "application/problem+json"
    clock.move(1000)
    assert one.get("/users/nobody").headers["X-Cache"] == "MISS"
    assert len(one.queries) == 2


def test_is_created_and_cached_at_once(web: Start) -> None:
    one = web()
    assert one.get("/users/neo").status_code == 404
    created = one.create(id="neo", name="Thomas Anderson", email="Neo@Matrix.Example.COM", plan="pro")
    assert created.status_code == 201
    user = created.json
    assert user.pop("createdAt").endswith("Z")
    assert user == {
        "id": "neo",
        "name": "Thomas Anderson",
        "email": "neo@matrix.example.com",
        "plan": "pro",
        "isActive": True,
    }
    found = one.get("/users/neo")
    assert (found.status_code, found.headers["X-Cache"], found.data) == (200, "HIT", created.data)
    one.client.delete("/cache")
    again = one.get("/users/neo")
    assert (again.headers["X-Cache"], again.data) == ("MISS", created.data)


def test_an_id_and_a_plan_are_given_to_who_has_none(web: Start) -> None:
    one = web()
    ids = set()
    for number in range(3):
        user = one.create(name="A", email=f"a{number}@example.com").json
        assert user["plan"] == "free"
        assert one.get(f"/users/{user['id']}").json == user
        ids.add(user["id"])
    assert len(ids) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "1", "email": "new@example.com"},
        {"id": "new", "email": "alice@example.com"},
        {"email": "ALICE@Example.com"},
    ],
)
def test_an_id_or_address_that_is_taken(web: Start, fields: dict[str, str]) -> None:
    one = web()
    refused = one.create(name="Another", **fields)
    assert (refused.status_code, refused.json["error"], refused.json["code"]) == (409, "USER_EXISTS", "USER_EXISTS")
    assert len(one.get("/users").json) == 5
    assert one.queries == [one.queries[0]]  # Nobody looked whether it was taken.


_GOOD = {"name": "A", "email": "a@example.com"}
_BAD: list[tuple[dict[str, Any], str]] = [
    *[
        ({**_GOOD, "email": email}, "email")
        for email in (
            *("", "a", "a@", "@example.com", "a@b", "a b@example.com", "a@example..com", "a@-example.com"),
            *("a..b@example.com", ".a@example.com", "a@example.com\n", "a\x00@example.com", "a@[127.0.0.1]"),
            *("x" * 65 + "@example.com", "a@" + "x" * 250 + ".com", "a@localhost", "<a@example.com>", "a@exam_ple.com"),
        )
    ],
    ({**_GOOD, "email": None}, "email"),
    ({**_GOOD, "email": 5}, "email"),
    ({**_GOOD, "email": ["a@example.com"]}, "email"),
    ({"name": "A"}, "email"),
    ({"email": "a@example.com"}, "name"),
    *[({**_GOOD, "name": name}, "name") for name in ("", " ", "x" * 201, "a\x00b", "a\nb", 5, None, True)],
    *[({**_GOOD, "plan": plan}, "plan") for plan in ("gold", "Free", "", None, 1)],
    *[
        ({**_GOOD, "id": word}, "id")
        for word in (
            "",
            " ",
            " a",
            "a ",
            "a\x00",
            "a\x1b[2J",
            "x" * 65,
            "x" * 10_000,
            "a/b",
            "cache",
            "cache-status",
            "..",
            5,
            True,
        )
    ],
    ({**_GOOD, "isActive": False}, "isActive"),
    ({**_GOOD, "admin": True}, "admin"),
]


@on_sqlite
def test_bad_input_names_its_field(web: Start) -> None:
    one = web()
    for fields, field in _BAD:
        refused = one.create(**fields)
        assert refused.status_code == 400, fields
        assert (refused.json["code"], refused.json["field"]) == ("VALIDATION_ERROR", field), fields
        assert refused.json["message"][:1].isupper()
        assert field.lower() in refused.json["message"].lower()
    for body in ([], "text", 5, False):
        assert one.client.post("/users", json=body).status_code == 400
    assert len(one.get("/users").json) == 5


@pytest.mark.parametrize(
    "email",
    [
        "a+b@example.com",
        "o'neil@example.co.uk",
        "ä@exämple.com",
        "1@2.example.com",
        "a@shop.test",
        "x" * 64 + "@example.com",
    ],
)
def test_addresses_that_are_taken(web: Start, email: str) -> None:
    created = web().create(name="A", email=email)
    assert (created.status_code, created.json["email"]) == (201, email)


@on_sqlite
@pytest.mark.parametrize("path", ["%00", "a%0Ab", "%1b%5b2J", "x" * 3000, "%20", "%E2%80%8B", "%C2%85"])
def test_ids_that_cannot_be(web: Start, path: str) -> None:
    refused = web().get(f"/users/{path}")
    assert (refused.status_code, refused.json["code"], refused.json["field"]) == (400, "VALIDATION_ERROR", "id")


@pytest.mark.parametrize(
    ("user_id", "path"),
    [
        ("1' OR '1'='1", "1'%20OR%20'1'='1"),
        ("1;DROP TABLE users--", "1;DROP%20TABLE%20users--"),
        ("%", "%25"),
        ("_", "_"),
        ('"\\', "%22%5C"),
        ("ключ", "%D0%BA%D0%BB%D1%8E%D1%87"),
    ],
)
def test_metacharacters_are_text(web: Start, user_id: str, path: str) -> None:
    one = web()
    assert one.get(f"/users/{path}").status_code == 404
    assert one.create(id=user_id, name=user_id, email="a@example.com").status_code == 201
    found = one.get(f"/users/{path}").json
    assert (found["id"], found["name"]) == (user_id, user_id)
    assert len(one.get("/users").json) == 6


@on_sqlite
@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=" + "x" * 65, "cursor=%00", "offset=1"])
def test_a_page_that_cannot_be(web: Start, query: str) -> None:
    refused = web().get(f"/users?{query}")
    assert (refused.status_code, refused.json["field"]) == (400, query.partition("=")[0])


def test_the_cache_tells_of_itself(web: Start, clock: MovedClock) -> None:
    one, other = web(cache_capacity=2), web(cache_capacity=2)
    for user in (1, 1, 1, 2, 3, 1):
        one.get(f"/users/{user}")
    clock.move(60_000)
    other.get("/users/2")
    for path in ("/cache-status", "/users/cache-status"):
        status = other.get(path).json
        assert status.pop("averageResponseTime") > 0
        assert status.pop("uptime") > 0
        assert status.pop("timestamp").endswith("Z")
        assert status.pop("bytes") > 100
        assert status == {
            "hits": 2,
            "misses": 5,
            "size": 1,
            "capacity": 2,
            "evictions": 2,
            "expirations": 2,
            "coalesced": 0,
            "hitRatio": "28.57%",
            "totalRequests": 7,
        }
    assert other.get("/health").json["cacheSize"] == 1
    assert one.get("/health").json["cacheSize"] == 2


def test_clearing_the_cache(web: Start) -> None:
    one = web()
    for user in (1, 2, 2):
        one.get(f"/users/{user}")
    cleared = one.client.delete("/cache")
    assert cleared.json == {"message": "Cache cleared successfully", "entriesRemoved": 2, "currentSize": 0}
    assert one.get("/cache-status").json["hits"] == 1
    one.get("/users/1")
    assert one.client.delete("/users/cache").json["entriesRemoved"] == 1
    status = one.get("/cache-status").json
    assert (status["hits"], status["misses"], status["totalRequests"], status["hitRatio"]) == (0, 0, 0, "0.00%")
    assert one.get("/users/1").headers["X-Cache"] == "MISS"


@on_sqlite
@pytest.mark.parametrize("path", ["/cache", "/users/cache"])
def test_clearing_is_for_operators(web: Start, path: str) -> None:
    one = web(admin_token=TOKEN)
    assert one.client.delete(path).status_code == 401
    assert one.client.delete(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_document_lists_the_routes(web: Start) -> None:
    paths = web().get("/openapi.json").json["paths"]
    assert {"get", "post"} <= set(paths["/users"])
    for path, method in (
        ("/users/{user_id}", "get"),
        ("/users/cache-status", "get"),
        ("/cache-status", "get"),
        ("/users/cache", "delete"),
        ("/cache", "delete"),
    ):
        assert "429" in paths[path][method]["responses"] or "cache" in path
        assert method in paths[path]


def test_latency_is_for_reads_of_sql(web: Start) -> None:
    slow = web(db_latency_ms=30)
    assert slow.get("/users/1").status_code == 200
    missed_ms = slow.get("/cache-status").json["averageResponseTime"]
    assert missed_ms >= 30
    slow.get("/users/1")
    assert slow.get("/cache-status").json["averageResponseTime"] < missed_ms


def test_the_tables_are_those_of_the_migration(web: Start) -> None:
    database = web().services.users.database
    row = database.read(lambda connection: connection.execute(users.select().where(users.c.id == "3")).one())
    assert (row.name, row.plan, row.is_active) == ("Charlie Brown", "free", True)


@on_sqlite
def test_what_is_open_is_open_to_every_key(web: Start, tmp_path: Path) -> None:
    secret = ApiKeys(tmp_path / "api-keys").add("shop", Role.SELL, "2026-01-01T00:00:00Z")
    headers = {"Authorization": f"Bearer {secret}"}
    opened = web(seating_data_dir=tmp_path, users_access="open").get("/users/1", **headers)
    closed = web(seating_data_dir=tmp_path, users_access="key").get("/users/1", **headers)
    assert (opened.status_code, closed.status_code) == (200, 403)
