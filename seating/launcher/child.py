"""One supervised process, restarted whenever it exits by itself."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial

import click

# From Linux's <sys/prctl.h>; Python has no name for it.
_PR_SET_PDEATHSIG = 1
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 10.0
_STEADY_AFTER_S = 30.0


class Child:
    """Runs in its own session, so that Ctrl-C reaches only the launcher, which stops the parts in order."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._wait_s = _FIRST_WAIT_S
        self._restart_at: float | None = None
        self._started_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        self._started_at = time.monotonic()
        self._restart_at = None
        # Only from the main thread: Linux sends die_with's signal when the thread that forked ends.
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            start_new_session=True,
            preexec_fn=partial(die_with, os.getpid()),
        )

    def look_after(self) -> None:
        """Restart it if it has exited: at once if it ran for 30 s, else after 0.2 s, which doubles each time."""
        if self._restart_at is None and self._process is not None and self._process.poll() is not None:
            now = time.monotonic()
            if now - self._started_at > _STEADY_AFTER_S:
                wait_s, self._wait_s = 0.0, _FIRST_WAIT_S
            else:
                wait_s, self._wait_s = self._wait_s, min(2 * self._wait_s, _LONGEST_WAIT_S)
            click.echo(f"{self.name:9}ended with status {self._process.returncode}, again in {wait_s:g} s")
            self._restart_at = now + wait_s
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self.start()

    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def stop(self, within_s: float) -> None:
        """Send SIGTERM, then SIGKILL to its whole session if it is still running after `within_s` seconds."""
        if self._process is None or self.has_ended():
            return
        self._process.terminate()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            click.echo(f"{self.name:9}did not stop within {within_s:g} s, killed")
            # The whole session, because a killed gunicorn master cannot stop its processes.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def die_with(parent_pid: int) -> None:
    """Call this in a child: it then gets SIGTERM when its parent dies, for whatever reason.

    Linux only. Elsewhere, the children of a killed parent have to be stopped by hand.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_pid:  # It died before the call above.
            os.kill(os.getpid(), signal.SIGTERM)
