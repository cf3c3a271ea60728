import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests import forked
from tests.crowd import allow_many_sockets
from tests.forked import Forked
from tests.servers import wait_until
from tests.system import GUNICORN, PROJECT, Client, clean_environment, free_port

WITHOUT_HTTPTOOLS = str(PROJECT / "tests" / "without_httptools")


class Echo(Client):
    """The echoing application under the product's gunicorn settings."""

    def __init__(
        self, folder: Path, open_files: tuple[int, int] | None, settings: dict[str, str], inside: Path = PROJECT
    ) -> None:
        super().__init__(free_port())
        self.log = folder / f"web-{self.port}.log"
        environment = clean_environment() | {
            "PORT": str(self.port),
            "SEATING_DATA_DIR": str(folder / str(self.port)),
            "WEB_WORKERS": "1",
            "DRAIN_S": "0",
            **settings,
        }
        words = (*GUNICORN[:-1], "tests.server.echo_app:app")
        self.log.touch()
        self.process: Forked | subprocess.Popen[bytes]
        if open_files or "PYTHONPATH" in settings:  # Of which a fork would take no notice.
            self.process = _start(words, open_files, inside, environment, self.log)
        else:
            self.process = forked.start(words, inside, environment, self.log)
        wait_until(lambda: self.get("/pid").status == 200, 30, "the server to answer")

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def metric(self, line: str) -> float:
        """The value of the metric whose line begins with `line`; 0 if there is none."""
        lines = self.get("/metrics").body.decode().splitlines()
        return sum(float(found.rsplit(" ", 1)[1]) for found in lines if found.startswith(line + " "))


def _start(
    words: tuple[str, ...], open_files: tuple[int, int] | None, folder: Path, environment: dict[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    limit = f"ulimit -Sn {open_files[0]} && ulimit -Hn {open_files[1]} && " if open_files else ""
    command = f"{limit}exec {shlex.join((sys.executable, '-m', *words))}"
    with log.open("ab") as output:
        return subprocess.Popen(["bash", "-c", command], cwd=folder, env=environment, stdout=output, stderr=output)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Echo]]:
    """Starts one process with the given settings and limits of open files, soft and hard."""
    started: list[Echo] = []

    def start(open_files: tuple[int, int] | None = None, inside: Path = PROJECT, **settings: str) -> Echo:
        started.append(Echo(tmp_path, open_files, settings, inside))
        return started[-1]

    yield start
    for echo in started:
        if echo.process.poll() is None:
            echo.process.terminate()
            assert echo.process.wait(40) == 0


@pytest.fixture(autouse=True)
def _many_sockets() -> None:
    """The clients of these tests need more files than some systems allow at first."""
    allow_many_sockets()
