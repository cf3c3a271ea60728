"""Parts of a system as forks of a process that has all modules already: to import them takes seconds of CPU a part.

`tests/launched.py` starts parts as users do. Run as a program, this is that process: it reads requests, one JSON object
a line, and tells of starts and ends.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gevent import monkey
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

_PATCHED = ("gunicorn", "seating.rehearsal", "workers.sender")
"""What gevent patches, which has to come before anything else is imported."""
_MODULES = {
    "plain": (
        *("alembic.config", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite"),
        *("seating.runtime", "seating.cli.main", "workers.cron", "workers.jobs", "workers.rq_worker"),
    ),
    "patched": (
        *("gunicorn.app.wsgiapp", "gunicorn.workers.ggevent", "prometheus_client.multiprocess"),
        *("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite"),
        *("seating.app", "seating.rehearsal.command", "seating.runtime"),
    ),
}
"""Not seating.server.worker: the memory that processes share is made when it is imported."""
_LOOK_EVERY_S = 0.02


class Forked:
    """A process as `subprocess.Popen` shows it, but started and waited for by another one."""

    def __init__(self, origin: "_Origin", pid: int) -> None:
        self._origin = origin
        self.pid = pid

    def poll(self) -> int | None:
        """The exit status, negative if a signal ended it; None while it runs."""
        return self._origin.status(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + (timeout if timeout is not None else float("inf"))
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(_LOOK_EVERY_S)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Origin:
    """The process that is forked; it ends with this one."""

    def __init__(self, kind: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", kind],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout
        os.set_blocking(self._process.stdout.fileno(), False)
        self._asked = 0
        self._unread = b""
        self._pids: dict[int, int] = {}
        self._statuses: dict[int, int] = {}

    def start(
        self, words: Sequence[str], folder: Path, environment: dict[str, str], output: Path, errors: Path
    ) -> Forked:
        assert self._process.stdin
        self._asked += 1
        number = self._asked
        request = [number, list(words), str(folder), environment, str(output), str(errors)]
        os.write(self._process.stdin.fileno(), json.dumps(request).encode() + b"\n")
        while number not in self._pids:
            self._read()
            assert self._process.poll() is None
            time.sleep(0.005)
        return Forked(self, self._pids[number])

    def status(self, pid: int) -> int | None:
        self._read()
        return self._statuses.get(pid)

    def _read(self) -> None:
        assert self._process.stdout
        try:
            self._unread += os.read(self._process.stdout.fileno(), 65536)
        except BlockingIOError:
            return
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            word, *numbers = line.split()
            key, value = map(int, numbers)
            if word == b"started":
                self._pids[key] = value
                self._statuses.pop(value, None)  # Of an earlier process with this id.
            else:
                self._statuses[key] = value


@cache
def _origin(kind: str) -> _Origin:
    return _Origin(kind)


def start(
    words: Sequence[str], folder: Path, environment: dict[str, str], output: Path, errors: Path | None = None
) -> Forked:
    """Run a module and its arguments; its errors go to `output` too, unless there is a file for them."""
    kind = "patched" if words[0] in _PATCHED else "plain"
    return _origin(kind).start(words, folder, environment, output, errors or output)


def run(
    words: Sequence[str],
    folder: Path,
    environment: dict[str, str],
    module: str = "seating",
    within_s: float = 60,
) -> "subprocess.CompletedProcess[str]":
    """Run `seating <words>`, or another module, to its end. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory() as said:
        output, errors = Path(said, "output"), Path(said, "errors")
        process = start((module, *words), folder, environment, output, errors)
        try:
            status = process.wait(within_s)
        finally:
            process.kill()
        return subprocess.CompletedProcess(words, status, output.read_text(), errors.read_text())


def _serve() -> list[Any] | None:
    """Fork for each request, until the input ends. Returns the request in the fork, and None at the end."""
    select = monkey.get_original("select", "select")  # Waiting as gevent does would start its loop, which forks badly.
    wait = monkey.get_original("os", "waitpid")
    unread = b""
    while True:
        if select([0], [], [], _LOOK_EVERY_S)[0]:
            found = os.read(0, 65536)
            if not found:
                return None
            *lines, unread = (unread + found).split(b"\n")
            for line in lines:
                request: list[Any] = json.loads(line)
                pid = os.fork()
                if not pid:
                    return request
                _tell("started", request[0], pid)
        try:
            while (ended := wait(-1, os.WNOHANG))[0]:
                _tell("ended", ended[0], os.waitstatus_to_exitcode(ended[1]))
        except ChildProcessError:
            pass


def _tell(word: str, key: int, value: int) -> None:
    os.write(1, f"{word} {key} {value}\n".encode())


def _become(words: list[str], folder: str, environment: dict[str, str], output: str, errors: str) -> None:
    """As `python -m` does it."""
    for number, file in enumerate((os.devnull, output, errors)):
        opened = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(folder)
    if words[0] == "gunicorn":  # It would return to the folder in which it was imported.
        sys.modules["gunicorn.config"].Chdir.default = folder
    os.environ.clear()
    os.environ.update(environment)
    if "RQ_KEY_PREFIX" in environment:  # RQ reads it when it is imported.
        _forget_metrics()
        for name in [name for name in sys.modules if name.partition(".")[0] in ("rq", "seating", "workers")]:
            del sys.modules[name]
    elif words[0] == "gunicorn":  # Its processes have the metrics, each its own.
        os.register_at_fork(after_in_child=_renew_metrics)
    else:
        _renew_metrics()
    sys.argv, sys.path[0] = words, folder
    status: object = 0
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code
    if isinstance(status, str):
        print(status, file=sys.stderr)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    # Python would now take its modules apart, for a third of a second.
    os._exit(status if isinstance(status, int) else status is not None)


def _renew_metrics() -> None:
    """As if they had been imported in this process, after its environment was set."""
    _forget_metrics()
    importlib.reload(sys.modules["seating.telemetry.metrics"])


def _forget_metrics() -> None:
    for metric in vars(sys.modules["seating.telemetry.metrics"]).values():
        if isinstance(metric, MetricWrapperBase):
            REGISTRY.unregister(metric)


if __name__ == "__main__":
    if sys.argv[1] == "patched":
        monkey.patch_all()
    for name in _MODULES[sys.argv[1]]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    if asked := _serve():
        _become(*asked[1:])
