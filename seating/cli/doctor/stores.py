"""Checks of Redis, SQL, their clocks, and of the parts that report through them."""

import sqlite3
import time
from collections.abc import Iterator
from typing import Any, Final

import redis
from sqlalchemy import Connection, text

from seating.cli.doctor.findings import Finding, good, judged
from seating.config import InvalidSettings, Settings
from seating.domain.errors import RecordUnavailable
from seating.redis_store import durability
from seating.redis_store.plain_client import clients_of_primaries
from seating.redis_store.server_address import fails_over, is_cluster
from seating.runtime import BackgroundServices
from seating.storage import schema_version, webhook_cursors
from seating.storage.database import Database
from seating.storage.replica import Replica

# Scripts can declare flags, such as allow-oom, since 7.0.
_OLDEST_REDIS: Final = (7, 0)
_OLDEST_POSTGRES: Final = 140_000
_MIN_REPLICAS: Final = "min-replicas-to-write"
_MUCH_PERCENT: Final = 70
_MOST_DRIFT_S: Final = 1.0
_REPLICA_CATCHES_UP_S: Final = 1.0
_SENDER_BEGINS_S: Final = 1.0
_IS_REPLICA: Final = text("SELECT pg_is_in_recovery()")
_DURABLE: Final = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "local", "remote_write", "remote_apply"),
}
"""Settings of Postgres with the values that keep what it committed."""


def redis_server(loaded: Settings) -> Iterator[Finding]:
    """Look at the server, or at each primary of a cluster."""
    url = loaded.effective_redis_url
    for client in clients_of_primaries(url):
        address = client.get_connection_kwargs()
        where = f"{address['host']}:{address['port']}, " if is_cluster(url) else ""
        yield from (finding._replace(seen=where + finding.seen) for finding in _server(client, url))


def _server(client: "redis.Redis", url: str) -> Iterator[Finding]:
    info: dict[str, Any] = client.info()
    version = tuple(int(number) for number in info["redis_version"].split(".")[:2])
    name = info.get("server_name", "redis")
    yield judged(
        "Redis",
        # Valkey's `redis_version` says which Redis it is compatible with.
        f"{name} {info.get('valkey_version', info['redis_version'])}",
        fails=version < _OLDEST_REDIS,
        change="run Redis 7.0 or later, or Valkey",
    )
    try:
        durability.check(client, fails_over=fails_over(url))
        yield good("Redis durability", "it keeps what it confirms")
    except InvalidSettings as error:
        yield judged(
            "Redis durability", str(error).removeprefix("REDIS_URL: "), fails=True, change="docs/settings.md says why"
        )
    if info["aof_last_write_status"] != "ok":
        yield judged(
            "Redis file", "its last write failed", fails=True, change="see its log, and whether its disk is full"
        )
    yield from _room(info)
    needed = int(client.config_get(_MIN_REPLICAS)[_MIN_REPLICAS] or 0)
    yield _replicas(info["connected_slaves"], info.get("min_slaves_good_slaves"), needed)


def _replicas(connected: int, in_time: int | None, needed: int) -> Finding:
    """`in_time` are those that lag little enough to count; None while Redis needs none of them to write."""
    if in_time is not None and in_time < needed:
        return judged(
            "Redis replicas",
            f"{in_time} in time, and it refuses writes with fewer than {needed}",
            fails=True,
            change=f"start replicas, or lift the fence of a planned failover: CONFIG SET {_MIN_REPLICAS} 1",
        )
    lax = connected > 0 and in_time is None
    return judged(
        "Redis replicas",
        f"{connected}, and it confirms without them" if lax else str(connected),
        warns=lax,
        change=f"set {_MIN_REPLICAS} 1 and min-replicas-max-lag, before you fail over",
    )


def _room(info: dict[str, Any]) -> Iterator[Finding]:
    used, limit = info["used_memory"], info["maxmemory"]
    if limit:
        percent = 100 * used // limit
        yield judged(
            "Redis memory",
            f"{percent} % of {limit // 2**20} MB",
            warns=percent >= _MUCH_PERCENT,
            change="raise maxmemory: at BACKLOG_MEMORY_PERCENT purchases are refused",
        )
    most = info.get("maxclients", 0)
    if most:
        clients = info["connected_clients"]
        yield judged(
            "Redis connections",
            f"{clients} of {most}",
            warns=100 * clients >= _MUCH_PERCENT * most,
            change="raise maxclients, or stop what does not belong here",
        )


def database(loaded: Settings) -> Iterator[Finding]:
    asked = Database(loaded.effective_database_url)
    try:
        asked.read(schema_version.check)
        yield from asked.read(_sqlite if asked.engine.dialect.name == "sqlite" else _postgres)
    finally:
        asked.close()


def _sqlite(_connection: Connection) -> list[Finding]:
    return [good("SQL", f"SQLite {sqlite3.sqlite_version}, tables of this version; all processes run on one machine")]


def _postgres(connection: Connection) -> list[Finding]:
    number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    found = [
        judged(
            "SQL",
            f"Postgres {number // 10_000}.{number % 10_000}, tables of this version",
            warns=number < _OLDEST_POSTGRES,
            change="run Postgres 14 or later",
        )
    ]
    for name, safe in _DURABLE.items():
        value = connection.execute(text(f"SHOW {name}")).scalar_one()
        if value not in safe:
            seen = f"Postgres may lose what it committed: {name} is {value}"
            found.append(judged("SQL durability", seen, fails=True, change=f"set {name} to on"))
    most = int(connection.execute(text("SHOW max_connections")).scalar_one())
    used = int(connection.execute(text("SELECT count(*) FROM pg_stat_activity")).scalar_one())
    found.append(
        judged(
            "SQL connections",
            f"{used} of {most}",
            warns=100 * used >= _MUCH_PERCENT * most,
            change="raise max_connections; each of our processes opens up to 8",
        )
    )
    return found


def replica(loaded: Settings) -> Iterator[Finding]:
    if loaded.database_read_url is None:
        return
    primary, asked = Database(loaded.effective_database_url), Database(loaded.database_read_url)
    try:
        looking = Replica(primary, asked, loaded.database_read_max_lag_s)
        looking.look()
        time.sleep(_REPLICA_CATCHES_UP_S)  # What it lacked a moment ago it has by now, unless it is behind.
        lag_s, failure = looking.look()
        yield judged(
            "SQL replica",
            failure or f"it is {lag_s or 0:.0f} s behind at most, and lists are read from it",
            warns=bool(failure),
            change="lists are read from DATABASE_URL meanwhile; see whether it still follows its primary",
        )
        if not failure and not asked.read(lambda connection: connection.execute(_IS_REPLICA).scalar_one()):
            change = "name a replica, or unset DATABASE_READ_URL"
            yield judged("SQL replica", "it is the primary itself", warns=True, change=change)
    finally:
        primary.close()
        asked.close()


def clocks(loaded: Settings) -> Iterator[Finding]:
    """Compare this machine's clock with Redis's, by which sales open and holds end."""
    drift_s = max(map(_drift_s, clients_of_primaries(loaded.effective_redis_url)), key=abs)
    yield judged(
        "clocks",
        f"Redis is {abs(drift_s):.2f} s {'ahead of' if drift_s > 0 else 'behind'} this machine",
        warns=abs(drift_s) > _MOST_DRIFT_S,
        change="let both keep time by NTP",
    )


def _drift_s(client: "redis.Redis") -> float:
    # Connects first: the time that takes would count as drift.
    client.ping()
    before = time.time()
    seconds, micros = client.time()
    return seconds + micros / 1e6 - (before + time.time()) / 2


def parts(loaded: Settings) -> Iterator[Finding]:
    """Look for workers and the cron, and for what waits for an operator."""
    services = BackgroundServices(loaded)
    workers = services.queue.workers_seen()
    yield judged(
        "workers", str(workers) if workers else "none seen lately", fails=not workers, change="start seating worker"
    )
    seen = services.upkeep.reports.last()
    if seen is None:
        yield judged("cron", "not seen lately", fails=True, change="start seating cron")
        return
    report = seen.report
    yield good("cron", f"seen {seen.age_s:.1f} s ago")
    yield judged(
        "events",
        f"{report.open} open, {report.trusted} of them sell, {report.lag} entries are not in SQL yet",
        warns=report.trusted < report.open,
        change="seating reconcile says why",
    )
    yield judged(
        "stopped events", str(report.stopped), fails=report.stopped > 0, change="seating reconcile, then seating merge"
    )
    yield judged("quarantine", str(report.quarantined), warns=report.quarantined > 0, change="seating quarantine list")
    lost = sum(loss.lost for loss in services.losses.all())
    yield judged("losses", str(lost), warns=lost > 0, change="seating losses, then seating losses settle")


def webhooks(loaded: Settings) -> Iterator[Finding]:
    """Look whether messages are delivered, if there are endpoints."""
    asked = Database(loaded.effective_database_url)
    try:
        sight = asked.read(webhook_cursors.look, time.time_ns() // 1_000_000)
        if sight.unattended:
            time.sleep(_SENDER_BEGINS_S)  # A sender that runs has begun by then.
            sight = asked.read(webhook_cursors.look, time.time_ns() // 1_000_000)
    except RecordUnavailable:
        return  # The finding on SQL says why.
    finally:
        asked.close()
    if not sight.active and not sight.paused:
        return
    yield judged(
        "webhooks",
        f"{sight.active} active, {sight.paused} paused, {sight.failing} failing; {sight.lag} entries not delivered yet",
        warns=sight.failing > 0 or sight.paused > 0,
        change="seating webhooks list says why; seating webhooks resume",
    )
    yield judged(
        "sender",
        f"webhooks that wait for one: {sight.unattended}",
        warns=sight.unattended > 0,
        change="start seating sender",
    )
