"""Who may create events: on one's own machine anybody, elsewhere whoever has the operator's token."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import RedisServer
from tests.system import Answer, System, clean_environment, free_port
from tests.web import assert_problem, exchange, post, seats_sold, table

TOKEN = "correct-horse"
NEW_EVENT = b'{"name":"Test","totalSeats":5}'


def create(system: System, **headers: str | None) -> Answer:
    return exchange(system, post("/api/v1/events", NEW_EVENT, **headers))


def assert_unauthorized(answer: Answer) -> None:
    assert_problem(answer, 401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@contextmanager
def web_alone(folder: Path, **settings: str) -> Iterator[System]:
    redis = RedisServer(folder / "redis")
    redis.start()
    running = System(folder / "data", redis, f"sqlite:///{folder / 'seating.db'}", WEB_WORKERS="1", **settings)
    try:
        yield running.start("web")
    finally:
        running.stop()
        redis.stop()


@pytest.fixture(scope="module")
def with_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with web_alone(tmp_path_factory.mktemp("with-token"), ADMIN_TOKEN=TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Trusts a proxy, and has no token."""
    with web_alone(tmp_path_factory.mktemp("behind-proxy"), TRUSTED_PROXIES="1") as running:
        yield running


def test_open_on_loopback(system: System) -> None:
    before = seats_sold(system)
    created = create(system)
    assert created.status == 201
    assert seats_sold(system) == before | {created.json["id"]: 0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Forwarded", "for=192.0.2.1"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-For", ""),
        ("x-forwarded-for", "192.0.2.1"),
        ("X-Forwarded-Host", "tickets.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Real-IP", "192.0.2.1"),
        ("Via", "1.1 proxy"),
    ],
)
def test_closed_for_what_was_forwarded(system: System, name: str, value: str) -> None:
    """A proxy on the same machine brings the world with it."""
    before = seats_sold(system)
    assert_unauthorized(create(system, **{name: value}))
    assert seats_sold(system) == before


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
    bought = {
        with_token.buy(1, key, Authorization=authorization).json["purchaseId"]
        for authorization in (f"Bearer {TOKEN}", "Bearer wrong", f"Bearer {TOKEN}")
    }
    assert len(bought) == 2


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_refuses_to_start_where_the_world_could_reach_it(address: str, tmp_path: Path) -> None:
    environment = clean_environment() | {
        "BIND": address,
        "PORT": str(free_port()),
        "SEATING_DATA_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "seating", "web"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "ADMIN_TOKEN" in done.stderr
    assert address in done.stderr
