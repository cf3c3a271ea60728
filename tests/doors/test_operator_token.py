"""Who may create events: whoever has the operator's token, an operator's key, or sits at a machine without any."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import forked
from tests.doors import TOKEN, assert_unauthorized, bearer, web_alone
from tests.system import Answer, System, clean_environment, free_port
from tests.web import exchange, post, seats_sold, table

NEW_EVENT = b'{"name":"Test","totalSeats":5}'


def create(system: System, **headers: str | None) -> Answer:
    return exchange(system, post("/api/v1/events", NEW_EVENT, **headers))


@pytest.fixture(scope="module")
def with_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with web_alone(tmp_path_factory.mktemp("with-token"), ADMIN_TOKEN=TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Trusts a proxy, and has no token."""
    with web_alone(tmp_path_factory.mktemp("behind-proxy"), TRUSTED_PROXIES="127.0.0.0/8") as running:
        yield running


@pytest.mark.parametrize("authorization", [None, "Bearer ", "Bearer None", f"Bearer {TOKEN}"])
def test_closed_behind_a_proxy(behind_proxy: System, authorization: str | None) -> None:
    """There is no token that could be right."""
    before = seats_sold(behind_proxy)
    assert_unauthorized(create(behind_proxy, Authorization=authorization))
    assert seats_sold(behind_proxy) == before


@pytest.mark.parametrize(
    "authorization",
    table(
        {
            "none": (None,),
            "empty": ("",),
            "the scheme alone": ("Bearer",),
            "no token": ("Bearer ",),
            "another token": ("Bearer wrong",),
            "the beginning of it": (f"Bearer {TOKEN[:-1]}",),
            "something after it": (f"Bearer {TOKEN}x",),
            "in capitals": (f"Bearer {TOKEN.upper()}",),
            "twice": (f"Bearer {TOKEN}\r\nAuthorization: Bearer {TOKEN}",),
            "without a scheme": (TOKEN,),
            "another scheme": (f"Basic {TOKEN}",),
            "not ASCII": (f"Bearer {TOKEN}\xff",),
            "10,000 characters": ("Bearer " + "a" * 10_000,),
        }
    ),
)
def test_wrong_token(with_token: System, authorization: str | None) -> None:
    before = seats_sold(with_token)
    assert_unauthorized(create(with_token, Authorization=authorization))
    assert seats_sold(with_token) == before


@pytest.mark.parametrize("forwarded", [None, "192.0.2.1"])
def test_right_token(with_token: System, forwarded: str | None) -> None:
    created = create(with_token, Authorization=f"Bearer {TOKEN}", X_Forwarded_For=forwarded)
    assert created.status == 201
    assert seats_sold(with_token)[created.json["id"]] == 0


@pytest.mark.parametrize("body", [b"", b"[", b"[" * 20_000], ids=["empty", "not JSON", "too large"])
def test_the_token_is_asked_for_first(with_token: System, body: bytes) -> None:
    """Nobody without it learns what the route would have said."""
    assert_unauthorized(exchange(with_token, post("/api/v1/events", body)))


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/metrics", "/api/v1/event", "/api/v1/events", "/docs/"])
def test_reading_needs_no_token(with_token: System, path: str) -> None:
    assert with_token.get(path, {"X-Forwarded-For": "192.0.2.1"}).status == 200


def test_the_operator_has_keys_of_its_own(with_token: System) -> None:
    """A buyer who guesses the key of a box office's purchase does not get its answer."""
    key = str(uuid.uuid4())
    bought = {with_token.buy(1, key, **headers).json["purchaseId"] for headers in (bearer(TOKEN), {}, bearer(TOKEN))}
    assert len(bought) == 2


def test_a_wrong_token_buys_nothing(with_token: System) -> None:
    """A shop whose key was taken back must not find its purchases among those of strangers."""
    before = with_token.get("/api/v1/event").json
    assert_unauthorized(with_token.buy(1, **bearer("wrong" * 10)))
    assert with_token.get("/api/v1/event").json == before


def test_somebody_elses_scheme_is_no_key(with_token: System) -> None:
    """As of a proxy that asks for a password."""
    assert with_token.buy(1, Authorization="Basic dXNlcjpwYXNzd29yZA==").status == 200


@pytest.mark.parametrize(
    ("part", "address"),
    [("web", "127.0.0.1"), ("web", "0.0.0.0"), ("web", "::"), ("worker", "127.0.0.1"), ("cron", "127.0.0.1")],
)
def test_a_part_alone_refuses_to_start_without_a_key(part: str, address: str, tmp_path: Path, redis_url: str) -> None:
    line = _refusal(part, tmp_path, BIND=address, REDIS_URL=redis_url)
    assert line.startswith("seating: ADMIN_TOKEN: no operator has a key")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_so_does_all_of_it_where_the_world_could_reach_it(address: str, tmp_path: Path) -> None:
    line = _refusal("up", tmp_path, BIND=address)
    assert line.startswith("seating: ADMIN_TOKEN: no operator has a key")


def _refusal(part: str, folder: Path, **settings: str) -> str:
    environment = {"PORT": str(free_port()), "SEATING_DATA_DIR": str(folder)}
    done = forked.run([part], folder, clean_environment() | environment | settings)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line
