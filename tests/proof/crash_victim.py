"""Processes that kill themselves, SIGKILL, at a crash point: children of one that has loaded the product once.

`python -m tests.proof.crash_victim SOCKET` forks a child for each line that it reads from the socket's file descriptor,
and answers with how the child ended.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from tests import frozen_clock
from tests.proof.crash_acts import ACTS, Given
from tests.proof.crashing import Crash, CrashingProcess, Crossings, Fault, Moment
from tests.system import PROJECT


class Victims:
    """What the test has of them. They write what they log to `folder`."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "victims.log"
        ours, theirs = socket.socketpair()
        with self._log.open("ab") as log, theirs:
            words = [sys.executable, "-m", "tests.proof.crash_victim", str(theirs.fileno())]
            self._process = subprocess.Popen(words, cwd=PROJECT, pass_fds=[theirs.fileno()], stdout=log, stderr=log)
        self._socket, self._replies = ours, ours.makefile("r")

    def kill_one(self, redis_url: str, database_url: str, act: str, given: Given, crash: Crash) -> None:
        """Let one die in an act. It fails unless it was killed by that crash."""
        asked = {"redis": redis_url, "database": database_url, "act": act, "given": given, "crash": crash}
        self._socket.sendall(json.dumps(asked).encode() + b"\n")
        status = int(self._replies.readline() or 0)
        died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert died, f"{crash} has not killed it: {status}\n{self._log.read_text()[-4000:]}"

    def stop(self) -> None:
        self._socket.close()
        self._replies.close()
        self._process.wait(timeout=20)


def _serve(asking: socket.socket) -> None:
    for line in asking.makefile("r"):
        child = os.fork()
        if not child:
            _act(**json.loads(line))
        _, status = os.waitpid(child, 0)
        asking.sendall(b"%d\n" % status)


def _act(redis: str, database: str, act: str, given: Given, crash: Any) -> NoReturn:
    try:
        call, nth, moment, fault = crash
        crossings = Crossings(Crash(call, nth, Moment(moment), Fault(fault)))
        process = CrashingProcess(redis, database, frozen_clock.scripts(), crossings)
        ACTS[act](process, given)
    except BaseException:  # noqa: BLE001  # Nothing may get out of the child.
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(1)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asking:
        asking.setblocking(True)  # gevent has made it otherwise.
        _serve(asking)
