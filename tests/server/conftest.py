import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.crowd import allow_many_sockets
from tests.servers import wait_until
from tests.system import PROJECT, Client, clean_environment, free_port

WITHOUT_HTTPTOOLS = str(PROJECT / "tests" / "without_httptools")


class Echo(Client):
    """The echoing application under the product's gunicorn settings."""

    def __init__(
        self, folder: Path, open_files: tuple[int, int] | None, settings: dict[str, str], inside: Path = PROJECT
    ) -> None:
        super().__init__(free_port())
        self.log = folder / f"web-{self.port}.log"
        environment = {"PORT": str(self.port), "SEATING_DATA_DIR": str(folder / str(self.port)), "WEB_WORKERS": "1"}
        environment["DRAIN_S"] = "0"
        limit = f"ulimit -Sn {open_files[0]} && ulimit -Hn {open_files[1]} && " if open_files else ""
        words = f'-c "{PROJECT}/gunicorn.conf.py" --pythonpath "{PROJECT}" tests.server.echo_app:app'
        command = f'{limit}exec "{sys.executable}" -m gunicorn {words}'
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=inside,
                env=clean_environment() | environment | settings,
                stdout=output,
                stderr=output,
            )
        wait_until(lambda: self.get("/pid").status == 200, 30, "the server to answer")

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def metric(self, line: str) -> float:
        """The value of the metric whose line begins with `line`; 0 if there is none."""
        lines = self.get("/metrics").body.decode().splitlines()
        return sum(float(found.rsplit(" ", 1)[1]) for found in lines if found.startswith(line + " "))


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
