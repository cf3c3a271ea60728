"""What `seating doctor` finds: nothing wrong in a sound installation, and each fault with what to change."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from seating.cli.doctor import configuration, findings, stores
from seating.cli.doctor.findings import Finding, Level
from seating.config import Settings
from seating.services.webhooks import Webhooks
from seating.storage.database import Database
from tests.books import command, seating
from tests.one_process import OPERATOR, OneProcess, on_sqlite
from tests.servers import PostgresServer, RedisServer
from tests.system import System


def _by_subject(out: str) -> dict[str, Any]:
    return {row["subject"]: row for row in json.loads(out)}


def test_a_running_system(system: System) -> None:
    examined = seating(system, "doctor", "--json")
    found = _by_subject(examined.out)
    failing = [row for row in found.values() if row["level"] == "fail"]
    assert [row["subject"] for row in failing] == ["keys"]
    assert (examined.status, found["keys"]["change"]) == (1, "seating keys add NAME --role operate")
    assert {"Redis", "Redis durability", "Redis memory", "SQL", "clocks", "workers", "cron", "disk"} <= set(found)
    assert (found["workers"]["seen"], found["workers"]["level"]) == ("1", "ok")
    assert seating(system, "doctor").out.split()[:3] == ["WHAT", "SEEN", "CHANGE"]


def test_a_careless_redis(tmp_path: Path, own_redis: RedisServer) -> None:
    own_redis.client().config_set("appendfsync", "everysec")
    own_redis.client().config_set("min-replicas-to-write", 100)
    stopped = System(tmp_path / "data", own_redis, f"sqlite:///{tmp_path / 'none.db'}", ADMIN_TOKEN="t" * 32)
    examined = seating(stopped, "doctor", "--json")
    found = _by_subject(examined.out)
    assert examined.status == 1
    assert "appendfsync always" in found["Redis durability"]["seen"]
    assert found["Redis replicas"]["seen"] == "0 in time, and it refuses writes with fewer than 100"
    assert "run `seating migrate`" in found["SQL"]["seen"]
    assert "webhooks" not in found
    assert found["workers"]["change"] == "start seating worker"
    assert found["keys"]["level"] == "ok"


def test_a_postgres_that_forgets(tmp_path: Path, redis_server: RedisServer, postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    database = Database(url)
    careless = text(f'ALTER DATABASE "{make_url(url).database}" SET synchronous_commit = off')
    database.write(lambda connection: connection.execute(careless))
    database.close()
    found = _by_subject(seating(System(tmp_path / "data", redis_server, url), "doctor", "--json").out)
    assert found["SQL"]["seen"].startswith("Postgres ")
    assert found["SQL durability"]["seen"] == "Postgres may lose what it committed: synchronous_commit is off"
    assert found["SQL connections"]["level"] == "ok"


@on_sqlite
def test_webhooks_that_nobody_delivers(sale: OneProcess) -> None:
    settings = Settings(_env_file=None, database_url=sale.database.url)
    assert list(stores.webhooks(settings)) == []
    event = sale.open(9)
    sale.persist(event)
    Webhooks(sale.database).add("https://shop.example/", event, [], OPERATOR, allow_private=False)
    assert [finding.level for finding in stores.webhooks(settings)] == [Level.OK, Level.OK]
    sale.buy(event, "k1")
    sale.persist(event)
    endpoints, sender = stores.webhooks(settings)
    assert endpoints.seen == "1 active, 0 paused, 0 failing; 1 entries not delivered yet"
    assert (sender.level, sender.change) == (Level.WARN, "start seating sender")


def test_a_setting_that_is_wrong_is_the_only_other_finding(tmp_path: Path) -> None:
    wrong = {"SEATING_DATA_DIR": str(tmp_path), "PORT": "0", "REDIS_ULR": "redis://other"}
    examined = command(wrong, "doctor", "--json")
    assert [(row["subject"], row["level"]) for row in json.loads(examined.out)] == [
        ("REDIS_ULR", "warn"),
        ("settings", "fail"),
    ]
    assert ("did you mean REDIS_URL?" in examined.out, examined.status) == (True, 1)


@pytest.mark.parametrize(
    ("given", "subject", "level"),
    [
        ({"rate_limit_sale": "off"}, "RATE_LIMIT_SALE", Level.WARN),
        ({"trusted_proxies": "0.0.0.0/0"}, "TRUSTED_PROXIES", Level.FAIL),
        ({"db_latency_ms": 50}, "DB_LATENCY_MS", Level.WARN),
        ({"seating_development": True}, "SEATING_DEVELOPMENT", Level.WARN),
        ({"web_workers": 64}, "WEB_WORKERS", Level.WARN),
    ],
)
def test_weak_settings(given: dict[str, Any], subject: str, level: Level) -> None:
    found = {finding.subject: finding for finding in configuration.settings(Settings(**given))}
    assert found[subject].level is level
    assert found[subject].change


@pytest.mark.parametrize(
    ("networks", "wide"),
    [
        ("127.0.0.1/32,10.0.0.0/8,::1,2001:db8:1::/64,2001:db8::/32,2a06:98c0::/29,fd00::/8,fc00::/7,fe80::/10", ""),
        ("0.0.0.0/0,10.0.0.1,8.0.0.0/7", "0.0.0.0/0, 8.0.0.0/7"),
        ("::/0,2001:db8::/64,2000::/3,2a00::/12,f000::/4", "::/0, 2000::/3, 2a00::/12, f000::/4"),
    ],
)
def test_how_wide_networks_of_proxies_are(networks: str, wide: str) -> None:
    found = [each for each in configuration.settings(Settings(trusted_proxies=networks)) if "PROX" in each.subject]
    assert [(each.level, each.seen) for each in found] == (
        [(Level.FAIL, f"{wide} lets callers choose their own address")] if wide else []
    )


def test_a_check_that_hangs_or_breaks_is_a_finding() -> None:
    def breaks() -> Iterator[Finding]:
        raise OSError("no such\nhost")
        yield

    assert list(findings.run("Redis", breaks)) == [Finding("Redis", Level.FAIL, "no such", "see docs/settings.md")]

    never = threading.Event()
    (hangs,) = findings.run("SQL", lambda: [Finding("SQL", Level.OK, str(never.wait()))], 0.05)
    assert (hangs.level, hangs.seen) == (Level.FAIL, "no answer within 0.05 s")
    never.set()
