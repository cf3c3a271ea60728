"""What docs/recovery.md tells an operator to type, while buyers go on."""

import json
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from seating.redis_store import durability
from tests.books import assert_books_right, assert_each_seat_once, assert_replayed, buy_some, seating
from tests.crowd import Rush
from tests.programs import program
from tests.servers import RedisServer, wait_until
from tests.system import Answer, System, free_port

_EVENT = "demo"
_PARTS = ("worker", "cron", "web")


class _Node:
    """A Redis on a port, as replication needs it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        words = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder), *durability.launch_options(64)]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen([program("redis-server"), *words], stdout=log, stderr=log)
        self.client = redis.Redis.from_url(self.url, decode_responses=True)
        wait_until(self.client.ping, what="Redis to answer")

    def stop(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[_Node, _Node]]:
    """A primary and its replica, in step."""
    primary, replica = _Node(tmp_path / "primary"), _Node(tmp_path / "replica")
    replica.client.replicaof("127.0.0.1", primary.port)
    wait_until(lambda: replica.client.info("replication")["master_link_status"] == "up", what="the replica in step")
    yield primary, replica
    primary.stop()
    replica.stop()


def test_a_planned_failover(nodes: tuple[_Node, _Node], tmp_path: Path) -> None:
    """And one back: nothing is lost, no seat is sold twice, and the old primary sells no more."""
    old, new = nodes
    system = System(tmp_path / "data", old, f"sqlite:///{tmp_path / 'seating.db'}").start()
    try:
        bought = {key: answer.json for key, answer in buy_some(system, 20).items()}
        with Rush(system) as rush:
            wait_until(lambda: len(rush.answers) > 20, what="a sale in full swing")
            for primary, replica in ((old, new), (new, old)):
                _fail_over(system, primary, replica)
                sold = len(rush.answers)
                wait_until(lambda sold=sold: len(rush.answers) > sold + 20, 30, "a sale in full swing")
        rush.settle()
        system.wait_recorded()
        assert_each_seat_once(system, _EVENT, _as_answers(bought | rush.answers))
        assert_books_right(system, _EVENT)
        assert seating(system, "losses").out == "nothing is lost\n"
    finally:
        system.stop()


def _fail_over(system: System, primary: _Node, replica: _Node) -> None:
    primary.client.config_set("min-replicas-to-write", 100)
    written = primary.client.info("replication")["master_repl_offset"]
    wait_until(lambda: replica.client.info("replication")["slave_repl_offset"] >= written, what="equal offsets")
    replica.client.replicaof("NO", "ONE")
    primary.client.replicaof("127.0.0.1", replica.port)
    primary.client.config_set("min-replicas-to-write", 1)
    system.environment["REDIS_URL"] = replica.url
    for part in _PARTS:
        system.parts[part].stop()
        system.start_part(part)
    system.wait_ready()
    wait_until(lambda: primary.client.info("replication")["master_link_status"] == "up", what="the old one to follow")
    replica.client.config_set("min-replicas-to-write", 1)


def test_backup_and_restore_of_both_stores(own_redis: RedisServer, tmp_path: Path) -> None:
    """SQL is copied first, then the append-only file: what both had comes back, whatever was sold between the two."""
    database = tmp_path / "seating.db"
    system = System(tmp_path / "data", own_redis, f"sqlite:///{database}").start()
    try:
        before = buy_some(system, 20)
        system.wait_recorded()
        with Rush(system) as rush:
            wait_until(lambda: len(rush.answers) > 20, what="a sale in full swing")
            with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
                source.backup(copy)
            between = len(rush.answers)
            wait_until(lambda: len(rush.answers) > between + 20, what="sales between the two copies")
            own_redis.copy_to(tmp_path / "copy")
            copied = len(rush.answers)
            wait_until(lambda: len(rush.answers) > copied + 20, what="sales after both")
        for part in _PARTS:
            system.parts[part].stop()
        for name in ("seating.db", "seating.db-wal", "seating.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / "copy.db").rename(database)
        own_redis.put_back(tmp_path / "copy")
        for part in _PARTS:
            system.start_part(part)
        system.wait_ready()
        assert_replayed(system, before)
        after = buy_some(system, 20)
        system.wait_recorded()
        assert_books_right(system, _EVENT)
        kept = list(rush.answers.values())[:between]
        sold = [*before.values(), *after.values(), *_as_answers(dict(enumerate(kept)))]
        owners = [(seat, answer.json["purchaseId"]) for answer in sold for seat in answer.json["seats"]]
        assert len({seat for seat, _ in owners}) == len(owners)
    finally:
        system.stop()


def _as_answers(purchases: Mapping[Any, object]) -> list[Answer]:
    return [Answer(200, {}, json.dumps(purchase).encode()) for purchase in purchases.values()]
