"""The whole product as `seating up` runs it, and a way to kill any part of it."""

import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.servers import wait_until
from tests.system import Client, clean_environment, free_port

_PARTS = {
    "redis": r"(redis|valkey)-server",
    "worker": r"seating worker",
    "cron": r"seating cron",
    "sender": r"(seating |workers\.)sender",
    "partner": r"seating partner",
    "web": r"gunicorn",
}


class Launched(Client):
    """One data folder and one port; may be started again after it was stopped or killed."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(free_port())
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self.environment = clean_environment() | {
            "PORT": str(self.port),
            "SEATING_DATA_DIR": str(folder),
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Launched":
        self.launch()
        self.wait_ready(60)
        return self

    def launch(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "seating", "up"],
                cwd=self.folder.parent,
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """The exit status of a launcher that was asked to stop, 0 if none runs."""
        if self.process is None or self.process.poll() is not None:
            return 0
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def family(self) -> list[psutil.Process]:
        """The launcher's descendants."""
        assert self.process
        return psutil.Process(self.process.pid).children(recursive=True)

    def part(self, name: str) -> psutil.Process:
        """The top process of a part. Of the web, the gunicorn master."""
        assert self.process
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # It may have ended while we look.
                if re.search(_PARTS[name], " ".join(child.cmdline())):
                    return child
        raise AssertionError(f"no {name} runs")

    def web_worker(self) -> psutil.Process:
        return self.part("web").children()[0]

    def kill_and_wait_for_next(self, name: str) -> None:
        """kill -9 of a part, until the launcher has started another."""
        victim = self.part(name)
        victim.kill()
        wait_until(lambda: self.part(name).pid != victim.pid, what=f"another {name}")

    @contextmanager
    def locked_sql(self) -> Iterator[None]:
        """Holds the database's write lock."""
        connection = sqlite3.connect(self.folder / "seating.db", isolation_level=None, timeout=30)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    def sql(self, query: str, *values: Any) -> list[Any]:
        connection = sqlite3.connect(self.folder / "seating.db", timeout=30)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()
