"""A crowd that is the first to ask SQL in a process of greenlets: all get an answer.

Threads that share one of gevent's locks, as SQLAlchemy's for the first connection of an engine, wait for ever.
"""

import subprocess
import sys
from pathlib import Path

from seating.storage import migrations
from seating.storage.database import Database
from tests.system import PROJECT

CROWD = """
from gevent import monkey; monkey.patch_all()
import sys
import gevent
from gevent import get_hub
from gevent.monkey import get_original
from sqlalchemy import event
from seating.storage import events
from seating.storage.database import Database

def read_at_once(guarded):
    database = Database(sys.argv[1], offload=get_hub().threadpool.apply)
    database._is_connected = not guarded
    # Long enough for all threads to meet.
    event.listen(database.engine, "connect", lambda *_: get_original("time", "sleep")(0.02))
    reading = [gevent.spawn(database.read, events.find, "any") for _ in range(16)]
    gevent.joinall(reading, timeout=5 if guarded else 2)
    return sum(one.successful() for one in reading)

print([read_at_once(sys.argv[2] == "guarded") for _ in range(20 if sys.argv[2] == "guarded" else 1)], flush=True)
import os; os._exit(0)
"""


def answered(path: Path, how: str) -> str:
    url = f"sqlite:///{path / 'first.db'}"
    database = Database(url)
    migrations.upgrade(database)
    database.close()
    command = [sys.executable, "-c", CROWD, url, how]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=150, check=True).stdout.strip()


def test_everybody_is_answered(tmp_path: Path) -> None:
    assert answered(tmp_path, "guarded") == str([16] * 20)


def test_without_the_guard_threads_wait_for_each_other(tmp_path: Path) -> None:
    assert answered(tmp_path, "unguarded") != "[16]"
