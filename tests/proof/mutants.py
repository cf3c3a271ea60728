"""The product with one of its guards taken out, and for each guard a short run in which that does harm."""

import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import gevent

from seating.services.books import Books
from seating.storage.database import Database
from tests.one_process import OneProcess
from tests.proof.final_state import FinalState, is_at_rest, take
from tests.proof.history import HistoryFile, InjectedFault, RecordedHistory, no_lag
from tests.proof.recorded_client import RecordedClient
from tests.servers import RedisServer, wait_until
from tests.system import PROJECT, Part, System

HALL = {"generate": {"sections": 4, "rows": 10, "seatsPerRow": 25}}
SETTINGS = {"HOLD_TTL_S": "1", "HOLD_MAX_S": "2", "HOLD_EXTEND_STEP_S": "1"}


class CopiedSystem(System):
    """The product of a copied tree in which the text `old` of some files is replaced by `new`."""

    inside = ("env",)
    """In processes of its own: forks would take no notice of PYTHONPATH."""

    def __init__(self, folder: Path, redis: RedisServer, *patches: "Patch") -> None:
        super().__init__(folder / "data", redis, f"sqlite:///{folder / 'seating.db'}", **SETTINGS)
        self._tree = folder / "tree"
        for name in ("seating", "workers", "migrations"):
            # With the bytecode of all files that are not patched, but without what another process is writing of it.
            shutil.copytree(PROJECT / name, self._tree / name, ignore=shutil.ignore_patterns("*.pyc.*"))
        for name in ("wsgi.py", "gunicorn.conf.py"):
            shutil.copy(PROJECT / name, self._tree)
        for patch in patches:
            patch.apply(self._tree)
        self.environment["PYTHONPATH"] = str(self._tree)

    def _start(self, name: str, *words: str) -> Part:
        return super()._start(name, *(word.replace(str(PROJECT), str(self._tree)) for word in words))

    def start_second_worker(self) -> None:
        self._start("second worker", "seating", "worker")


class Patch(NamedTuple):
    file: str
    old: str
    new: str

    def apply(self, tree: Path) -> None:
        """Fails unless the text is there exactly once: then the guard has moved, and this patch must follow it."""
        path = tree / self.file
        text = path.read_text()
        assert text.count(self.old) == 1, f"{self.file} has not once: {self.old}"
        path.write_text(text.replace(self.old, self.new))


class MutantRun:
    """One event of a running system, what is asked of it, and what is broken meanwhile."""

    def __init__(self, system: CopiedSystem, folder: Path) -> None:
        self.system = system
        self.event = system.create_event(seatingPlan=HALL)
        plan = system.get(f"/api/v1/events/{self.event}/plan").json
        self.seats = [seat for block in plan["blocks"] for row in block["rows"] for seat in row["seats"]]
        self._folder = folder / self.event
        self._folder.mkdir()
        self._path = self._folder / "history.jsonl"
        self.file = HistoryFile(self._path)

    def client(self, number: int) -> RecordedClient:
        return RecordedClient(number, self.system, self.event, self.file)

    def end(self) -> tuple[RecordedHistory, list[FinalState]]:
        self.wait_recorded()
        with self._books() as books:
            return RecordedHistory.read(self._path), [take(books, self.event)]

    @contextmanager
    def _books(self) -> Iterator[Books]:
        database = Database(self.system.database_url)
        yield OneProcess.build(self.system.redis.url, database).books
        database.close()

    def wait_recorded(self) -> None:
        """Until SQL has the log of a server that sells; record that."""
        with self._books() as books:
            wait_until(lambda: is_at_rest(books, self.event), 60, "everything to be recorded")
        self.file.add(no_lag(self.event))

    def sell_given_seats(self) -> None:
        """Ten buyers ask for the same two seats."""
        buyers = [gevent.spawn(self.client(number).buy, seats=self.seats[:2]) for number in range(10)]
        gevent.joinall(buyers, timeout=60, raise_error=True)

    def repeat(self) -> None:
        """Everybody asks twice with one key, at once and once more."""
        for number in range(3):
            key, client = str(uuid.uuid4()), self.client(number)
            twice = [gevent.spawn(client.buy, key, quantity=1) for _ in range(2)]
            gevent.joinall(twice, timeout=60, raise_error=True)
            client.buy(key, quantity=1)

    def outwait_a_hold(self) -> None:
        """A second after its end it can be extended no more, and its seats are free."""
        client = self.client(1)
        held = client.hold(seats=self.seats[:2])
        assert held.answer, held
        over = time.monotonic() + held.answer["expiresInMs"] / 1000 + 1.05
        wait_until(lambda: time.monotonic() > over, what="a second after the hold's end")
        client.extend(held.answer["holdToken"])
        client.buy(seats=self.seats[:2])

    def record_twice(self) -> None:
        """Both workers have read the same watermark before either can write."""
        self.system.start_second_worker()
        redis = self.system.redis.client()
        wait_until(lambda: len(_states(redis)) == 2, 60, "both workers to be there")
        for number in range(5):
            client = self.client(number)
            with self._locked_sql():
                wait_until(lambda client=client: _is_busy(client, redis), 30, "both workers to be busy")
                for _ in range(5):  # Meanwhile they come as far as the lock.
                    client.buy(quantity=1)
            self.wait_recorded()

    @contextmanager
    def _locked_sql(self) -> Iterator[None]:
        begun = time.monotonic_ns()
        connection = sqlite3.connect(self.system.database_url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("PRAGMA busy_timeout = 30000")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()
            self.file.add(InjectedFault("locked", begun, time.monotonic_ns(), may_lose=False, target="sql"))

    def restore_older_redis(self) -> None:
        """Redis comes back from before the last sales, which SQL has; nobody looks at its log for a while."""
        self.client(1).buy(seats=self.seats[:2])
        self.wait_recorded()
        self.system.redis.copy_to(self._folder / "copy")
        sold = self.client(2).buy(wait_s=30, seats=self.seats[2:4])
        assert sold.outcome == "ok", sold
        self.wait_recorded()
        for name in ("worker", "cron"):
            self.system.parts[name].kill()
        begun = time.monotonic_ns()
        self.system.redis.put_back(self._folder / "copy")
        fault = InjectedFault("restored older", begun, time.monotonic_ns(), may_lose=False, target="redis")
        self.file.add(fault)
        wait_until(self._is_answered_by_redis, 60, "the web to have connected anew")
        self.client(3).buy(seats=self.seats[2:4])
        for name in ("worker", "cron"):
            self.system.start_part(name)

    def _is_answered_by_redis(self) -> bool:
        """Whether somebody was sold seats, or refused because this is not the server of the term."""
        bought = self.client(4).buy(seats=self.seats[4:6])
        return bought.outcome != "unknown" or (bought.answer or {}).get("error") == "INVENTORY_UNAVAILABLE"


def _is_busy(client: RecordedClient, redis: Any) -> bool:
    """Whether both workers have a job; each purchase asks for one, at most every 0.1 s."""
    client.buy(quantity=1)
    return _states(redis) == [b"busy", b"busy"]


def _states(client: Any) -> list[bytes]:
    """What each worker does, as RQ knows it."""
    return [client.hget(name, "state") for name in client.smembers("rq:workers")]


class Mutant(NamedTuple):
    """`run` does what breaks one of the `invariants` without the guard."""

    guard: str
    patches: tuple[Patch, ...]
    run: Callable[[MutantRun], None]
    invariants: frozenset[str]


_LUA = "seating/redis_store/lua"
MUTANTS = (
    Mutant(
        "the seat check",
        (Patch(f"{_LUA}/choice.lua", "local taken = not_available(given, wish.also_off_sale)", "local taken = ''"),),
        MutantRun.sell_given_seats,
        frozenset({"I1"}),
    ),
    Mutant(
        "the idempotency look-up",
        (Patch(f"{_LUA}/purchase.lua", "refusal = replayed(field, fingerprint, at, private)", "refusal = nil"),),
        MutantRun.repeat,
        frozenset({"I4"}),
    ),
    Mutant(
        "the watermark's compare-and-swap",
        (Patch("seating/storage/watermarks.py", "known | moved).rowcount == 1", "known | moved).rowcount >= 0"),),
        MutantRun.record_twice,
        frozenset({"I2", "I6"}),
    ),
    Mutant(
        "the epoch guard",
        (
            Patch(f"{_LUA}/prelude.lua", "if values[1] ~= this_server() then", "if false then"),
            Patch(
                f"{_LUA}/prelude.lua",
                "if ahead > 0 or (ahead == 0 and tonumber(seen_seq) > tonumber(inventory.seq)) then",
                "if false then",
            ),
        ),
        MutantRun.restore_older_redis,
        frozenset({"I1"}),
    ),
    Mutant(
        "the expiry check",
        (
            Patch(f"{_LUA}/holds.lua", "if not hold or tonumber(hold.until_ms) <= at then", "if not hold then"),
            Patch(
                f"{_LUA}/holds.lua",
                "redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', at, 'LIMIT', 0, MOST_RELEASED)",
                "redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', 0, 'LIMIT', 0, MOST_RELEASED)",
            ),
        ),
        MutantRun.outwait_a_hold,
        frozenset({"I5"}),
    ),
)
