"""A backup of both stores, made while seats are sold, and restored: both, SQL alone, Redis alone."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import create_engine, text

from tests import forked
from tests.crowd import Rush
from tests.programs import program
from tests.servers import RedisServer, wait_until
from tests.system import PROJECT, System

BACKUP = PROJECT / "deploy" / "backup" / "backup.sh"


class Shop(NamedTuple):
    """`before` were confirmed before the backup began, `during` while it was made; both by their ids."""

    system: System
    backup: Path
    before: set[str]
    during: set[str]

    @property
    def database(self) -> Path:
        return Path(self.system.database_url.removeprefix("sqlite:///"))

    def sell(self, count: int) -> set[str]:
        """Ids of further purchases."""
        with Rush(self.system) as rush:
            wait_until(lambda: len(rush.answers) >= count, 60, "purchases")
        return _ids(rush)

    def recorded(self) -> dict[str, str]:
        """Of each purchase in SQL, the state that the product says."""
        with closing(create_engine(self.system.database_url).connect()) as connection:
            return {row.id: row.state for row in connection.execute(text(_PURCHASES))}

    def stop(self) -> None:
        self.system.stop()

    def start(self) -> None:
        for part in ("worker", "cron", "web"):
            self.system.start_part(part)
        self.system.wait_ready(60)

    def restore_sql(self) -> None:
        for file in self.database.parent.glob(f"{self.database.name}*"):
            file.unlink()
        shutil.copy(self.backup / "seating.db", self.database)

    def restore_redis(self) -> None:
        """Stopped, as an administrator does."""
        redis = self.system.redis
        redis.kill()
        shutil.rmtree(redis.folder / "appendonlydir")
        shutil.copytree(self.backup / "appendonlydir", redis.folder / "appendonlydir")
        redis.start()

    def books_are_right(self) -> None:
        wait_until(lambda: self.system.command("reconcile").stdout == "the books are right\n", 60, "right books")
        assert "the chain is intact" in self.system.command("verify", "demo").stdout


_PURCHASES = "SELECT id, CASE WHEN cancelled_ms IS NULL THEN 'persisted' ELSE 'cancelled' END AS state FROM purchases"


def _ids(rush: Rush) -> set[str]:
    return {answer["purchaseId"] for answer in rush.answers.values()}


def back_up(folder: Path, environment: dict[str, Any]) -> None:
    subprocess.run([BACKUP, folder], env=environment, check=True, timeout=60)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Buyers went on buying while the backup was made."""
    program("sqlite3")
    program("redis-cli")
    folder = tmp_path_factory.mktemp("backup")
    redis = RedisServer(folder / "redis")
    redis.start()
    system = System(folder / "data", redis, f"sqlite:///{folder / 'seating.db'}", WEB_WORKERS="1")
    try:
        system.start()
        with Rush(system) as rush:
            wait_until(lambda: len(rush.answers) >= 50, 60, "purchases")
            before = _ids(rush)
            back_up(folder / "backup", os.environ | system.environment)
            wait_until(lambda: len(rush.answers) >= len(before) + 50, 60, "purchases after the backup")
        yield Shop(system, folder / "backup", before, _ids(rush) - before)
    finally:
        system.stop()
        redis.stop()


def test_a_backup_changes_nothing(shop: Shop) -> None:
    assert rewrite_percentage(shop) > 0
    assert sorted(path.name for path in shop.backup.iterdir()) == ["appendonlydir", "seating.db"]
    assert shop.backup.stat().st_mode & 0o077 == 0
    assert not shop.backup.with_name("backup.partial").exists()


def test_sql_from_yesterday_is_recorded_again_from_the_log(shop: Shop) -> None:
    """SQL is older than Redis, which has a day of entries. An event that it does not know waits for a merge."""
    newer = shop.system.create_event(totalSeats=5)
    sold = shop.sell(20) | {shop.system.buy(2, event_id=newer).json["purchaseId"]}
    shop.system.wait_recorded()
    wait_until(lambda: sold <= shop.recorded().keys(), 30, "the newer event to be recorded")
    shop.stop()
    complete = shop.recorded()
    shop.restore_sql()
    assert not sold & set(shop.recorded())
    shop.start()
    again = shop.sell(5)  # The next change of an event makes the worker look.
    known = {purchase for purchase in complete if not purchase.startswith(newer)} | again
    wait_until(lambda: known <= shop.recorded().keys(), 30, "everything to be recorded again")
    again |= {shop.system.buy(1, event_id=newer).json["purchaseId"]}  # It sells on.
    found = forked.run(["reconcile"], shop.system.folder, shop.system.environment)
    assert found.stdout.startswith(f"{newer}: Redis has sales of it, but SQL has no record of it; ")
    shop.system.command("merge", newer, "--prefer", "redis")
    assert complete.keys() | again <= shop.recorded().keys()
    shop.books_are_right()


def test_redis_from_yesterday_is_rebuilt_from_sql(shop: Shop) -> None:
    """Redis is older than SQL. Everything else stays as it is."""
    sold = shop.sell(20)
    shop.system.wait_recorded()
    complete = shop.recorded()
    shop.restore_redis()
    shop.books_are_right()
    assert sold <= set(complete)
    assert shop.recorded() == complete
    purchase = min(sold)
    assert shop.system.get(f"/api/v1/purchases/{purchase}").json["state"] == "persisted"
    shop.sell(5)
    shop.books_are_right()


def test_both_from_yesterday_end_where_the_backup_did(shop: Shop) -> None:
    """Later sales are gone, and their seats on sale again; positions never mean two things."""
    sold = shop.sell(20)
    newest = shop.system.get("/api/v1/stats").json["persistence"]["position"]
    shop.stop()
    shop.restore_sql()
    shop.restore_redis()
    shop.start()
    shop.books_are_right()
    kept = set(shop.recorded())
    assert shop.before <= kept <= shop.before | shop.during
    assert not kept & sold
    assert shop.system.get("/api/v1/event").json["seatsSold"] == len(kept)
    assert shop.system.get(f"/api/v1/purchases/{min(sold)}").status == 404
    again = shop.sell(30)
    assert not again & sold
    position = shop.system.get("/api/v1/stats").json["persistence"]["position"]
    assert int(position.partition("-")[0]) > int(newest.partition("-")[0]), "a term of its own"
    shop.books_are_right()


def test_a_folder_that_exists_is_left_alone(shop: Shop) -> None:
    done = attempt(shop, shop.backup)
    assert (done.returncode, done.stderr) == (2, f"backup.sh: {shop.backup} exists\n")


def attempt(shop: Shop, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | shop.system.environment | more
    return subprocess.run([BACKUP, folder], env=environment, capture_output=True, text=True, timeout=60, check=False)


def stand_in(folder: Path, name: str, script: str) -> str:
    """Put `script` before the program `name`; return the PATH."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def rewrite_percentage(shop: Shop) -> int:
    (percentage,) = shop.system.redis.client().config_get("auto-aof-rewrite-percentage").values()
    return int(percentage)


def test_one_backup_at_a_time(shop: Shop, tmp_path: Path) -> None:
    """A second one would take the first one's zero for what Redis had, and set it for good."""
    before, copying, held = rewrite_percentage(shop), tmp_path / "copying", tmp_path / "held"
    os.mkfifo(held)
    path = stand_in(tmp_path, "cp", f'touch "{copying}"\nread _ <"{held}"\nexec {program("cp")} "$@"')
    first = subprocess.Popen([BACKUP, tmp_path / "first"], env=os.environ | shop.system.environment | {"PATH": path})
    wait_until(copying.exists, 60, "the first one to copy")
    second = attempt(shop, tmp_path / "second")
    held.write_text("go on\n")
    assert first.wait(60) == 0
    assert rewrite_percentage(shop) == before
    assert (second.returncode, second.stderr) == (2, "backup.sh: another backup of this Redis runs\n")
    assert not (tmp_path / "second").exists()


def test_what_a_killed_backup_left_is_reported(shop: Shop, tmp_path: Path) -> None:
    before, redis = rewrite_percentage(shop), shop.system.redis.client()
    redis.config_set("auto-aof-rewrite-percentage", 0)
    refused = attempt(shop, tmp_path / "refused")
    meant = attempt(shop, tmp_path / "meant", REWRITE_PERCENTAGE="0")
    redis.config_set("auto-aof-rewrite-percentage", before)
    assert refused.returncode == 2
    assert "auto-aof-rewrite-percentage is 0" in refused.stderr
    assert (meant.returncode, meant.stderr) == (0, "")


def test_a_copy_that_lacks_a_file_is_no_backup(shop: Shop, tmp_path: Path) -> None:
    """A rewrite that somebody starts removes files while they are copied."""
    before = rewrite_percentage(shop)
    path = stand_in(tmp_path, "cp", f'{program("cp")} "$@"\nrm "$3"/*.incr.aof')
    done = attempt(shop, tmp_path / "copy", PATH=path)
    assert done.returncode == 2
    assert "went away" in done.stderr
    assert sorted(found.name for found in tmp_path.iterdir()) == ["cp"]
    assert rewrite_percentage(shop) == before


@pytest.mark.parametrize(
    ("url", "target", "password"),
    [
        ("ada:s%40cr%25et@db:5/x?sslmode=disable", "ada@db:5/x?sslmode=disable", "s@cr%et"),
        ("ada@db:5/x", "ada@db:5/x", ""),
        ("db/x?user=ada&password=s%40cr%25et&sslmode=disable", "db/x?user=ada&sslmode=disable", "s@cr%et"),
        ("db/x?password=s+et", "db/x?", "s et"),
        ("db/x?password=s+et&sslmode=disable&password=s+et", "db/x?sslmode=disable&", "s et"),
        ("ada@shop:12?x@db/x?sslmode=disable", "ada%40shop@db/x?sslmode=disable", "12?x"),
    ],
)
def test_no_argument_has_the_password_of_postgres(
    shop: Shop, tmp_path: Path, url: str, target: str, password: str
) -> None:
    seen = tmp_path / "seen"
    path = stand_in(tmp_path, "pg_dump", f'printf "%s\\n" "$@" "$PGPASSWORD" >"{seen}"\nexit 1')
    done = attempt(shop, tmp_path / "copy", PATH=path, DATABASE_URL=f"postgresql+psycopg://{url}", PGPASSWORD="")
    assert done.returncode == 1
    assert seen.read_text().splitlines()[-2:] == [f"postgresql://{target}", password]


def test_a_password_that_no_environment_variable_takes_is_refused(shop: Shop, tmp_path: Path) -> None:
    done = attempt(shop, tmp_path / "copy", DATABASE_URL="postgresql://db/x?sslkey=k.pem&sslpassword=secret")
    refused = "backup.sh: DATABASE_URL: pg_dump takes sslpassword as an argument only\n"
    assert (done.returncode, done.stderr) == (2, refused)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "arguments", "password"),
    [
        ("redis://redis.example:6380/2", "-u redis://redis.example:6380/2", ""),
        ("redis://:s%40cr%25et@redis.example", "-u redis://redis.example", "s@cr%et"),
        ("redis://ada:s%40cr%25et@redis.example/?db=1", "-u redis://redis.example/ --user ada", "s@cr%et"),
        ("redis://redis.example?username=ada&password=s%26+et==", "-u redis://redis.example --user ada", "s& et=="),
        (
            "rediss://:secret@redis.example:6380/0?ssl_ca_certs=/etc/ssl/redis-ca.pem&ssl_check_hostname=false",
            "-u rediss://redis.example:6380/0 --cacert /etc/ssl/redis-ca.pem",
            "secret",
        ),
        (
            "rediss://redis.example?ssl_ca_path=/ca&ssl_certfile=/a.pem&ssl_keyfile=%2Fb.pem&ssl_cert_reqs=none",
            "-u rediss://redis.example --cacertdir /ca --cert /a.pem --key /b.pem --insecure",
            "",
        ),
        (
            "rediss://redis.example?ssl_ciphers=AES128%2BSHA&client_name=a&ssl_cert_reqs=required",
            "-u rediss://redis.example --tls-ciphers AES128+SHA",
            "",
        ),
        ("unix:///run/redis.sock?db=1&password=secret", "-s /run/redis.sock", "secret"),
        ("unix://ada:secret@/run/a@b/redis.sock", "-s /run/a@b/redis.sock --user ada", "secret"),
    ],
)
def test_each_redis_url_is_understood(tmp_path: Path, url: str, arguments: str, password: str) -> None:
    """As settings.md describes them. No argument has the password."""
    _, seen = reach(tmp_path, url)
    _, *given, raw, _, _, _, sent = seen
    assert raw == "--raw"
    assert (" ".join(given), sent) == (arguments, password)


@pytest.mark.parametrize("option", ["ssl_password", "ssl_ca_data", "ssl_min_version"])
def test_an_option_that_redis_cli_does_not_have_is_refused(tmp_path: Path, option: str) -> None:
    """Left out, it would be another connection than ours."""
    done, seen = reach(tmp_path, f"rediss://redis.example?ssl_keyfile=k.pem&{option}=secret")
    refused = f"backup.sh: REDIS_URL: redis-cli has no counterpart of {option}\n"
    assert (done.returncode, done.stderr, seen) == (2, refused, [])


def reach(folder: Path, redis_url: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Return also what redis-cli was given: its arguments, and the password from the environment."""
    seen = folder / "seen"
    seen.touch()
    path = stand_in(folder, "redis-cli", f'printf "%s\\n" "$@" "$REDISCLI_AUTH" >"{seen}"\nexit 1')
    url = {"REDIS_URL": redis_url, "DATABASE_URL": "sqlite:///x", "REDISCLI_AUTH": ""}
    environment = os.environ | {"PATH": path} | url
    done = subprocess.run(
        [BACKUP, folder / "copy"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done, seen.read_text().splitlines()


def test_a_database_that_is_not_there_is_no_backup(shop: Shop, tmp_path: Path) -> None:
    """sqlite3 would make an empty one, and copy that."""
    missing = tmp_path / "missing.db"
    done = attempt(shop, tmp_path / "copy", DATABASE_URL=f"sqlite:///{missing}")
    assert (done.returncode, done.stderr) == (2, f"backup.sh: there is no database {missing}\n")
    assert list(tmp_path.iterdir()) == []
