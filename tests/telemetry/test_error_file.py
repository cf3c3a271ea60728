"""Errors in a file of their own: whole, with stack traces, in a bounded number of files, whoever writes them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seating.telemetry.error_file import ErrorFile
from tests.system import clean_environment

_WRITER = """
import sys
from pathlib import Path
from seating.telemetry.error_file import ErrorFile
file = ErrorFile(Path(sys.argv[1]), 20_000, 100)
for number in range(1_000):
    file.write(f"{sys.argv[2]} {number} {'x' * 100}".encode())
"""
_LOGGER = """
import logging
import structlog
from seating.config import load_settings
from seating.telemetry import logs
logs.configure(load_settings().logging)
log = structlog.get_logger("test")

def fail():
    raise ValueError("of the test")

def report():
    log.error("an error with its exception", exc_info=error)
    log.error("an error while one is handled", seat="A1")

try:
    fail()
except ValueError as error:
    report()
    logging.getLogger("gunicorn.error").exception("an error of a library")
log.error("an error without an exception")
log.warning("a warning")
"""


def _lines(folder: Path) -> list[str]:
    """Of all files, oldest first."""
    files = sorted(folder.glob("errors.log.*"), key=lambda file: int(file.suffix[1:]), reverse=True)
    return [line for file in (*files, folder / "errors.log") if file.exists() for line in file.read_text().splitlines()]


def test_many_processes_write_whole_lines_and_none_is_lost(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*words, name]) for name in "abc"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    lines = _lines(tmp_path)
    wanted = sorted(f"{name} {number} {'x' * 100}" for name in "abc" for number in range(1_000))
    assert sorted(lines) == wanted
    assert min(file.stat().st_size for file in tmp_path.glob("errors.log.*")) >= 20_000


class _Unchecked(ErrorFile):
    """Rotates whatever another process has just done."""

    def _rotate(self) -> None:
        for number in range(self._kept - 2, 0, -1):
            if self._numbered(number).exists():
                self._numbered(number).replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))


@pytest.mark.parametrize(("kind", "kept"), [(ErrorFile, 200), (_Unchecked, 0)])
def test_two_that_find_it_full_rotate_it_once(kind: type[ErrorFile], kept: int, tmp_path: Path) -> None:
    """Both have written beyond the limit before either rotates; a third has written to the new file since."""
    file = kind(tmp_path, 100, 2)
    path = tmp_path / "errors.log"
    path.write_text("x" * 200)
    file._rotate()
    path.write_text("a new line\n")
    file._rotate()
    found = tmp_path / "errors.log.1"
    assert found.read_text().count("x") == kept


@pytest.mark.parametrize("kept", [1, 2, 5])
def test_the_number_of_files_is_bounded(kept: int, tmp_path: Path) -> None:
    file = ErrorFile(tmp_path, 1_000, kept)
    for number in range(500):
        file.write(f"{number:099}".encode())
    found = list(tmp_path.glob("errors.log*"))
    assert len(found) <= kept
    assert sum(one.stat().st_size for one in found) <= kept * 1_100
    assert (not _lines(tmp_path)) or int(_lines(tmp_path)[-1]) == 499


def _log(tmp_path: Path, code: str = _LOGGER, **settings: str) -> str:
    environment = clean_environment() | {"SEATING_DATA_DIR": str(tmp_path), **settings}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_every_error_has_a_stack_trace_there(log_format: str, tmp_path: Path) -> None:
    out = _log(tmp_path, LOG_DIR=str(tmp_path), LOG_FORMAT=log_format)
    errors: dict[str, dict[str, Any]] = {line["event"]: line for line in map(json.loads, _lines(tmp_path))}
    assert list(errors) == [
        "an error with its exception",
        "an error while one is handled",
        "an error of a library",
        "an error without an exception",
    ]
    *handled, alone = errors.values()
    for line in handled:
        assert 'raise ValueError("of the test")' in line["exception"] or "in fail" in line["exception"]
        assert line["exception"].endswith("ValueError: of the test\n")
    assert "in <module>" in alone["stack"]
    assert "structlog" not in alone["stack"]
    assert {line["level"] for line in errors.values()} == {"error"}
    assert all(line["timestamp"].endswith("Z") for line in errors.values())
    assert errors["an error while one is handled"]["seat"] == "A1"
    assert [out.count(event) for event in (*errors, "a warning")] == [1] * 5


def test_a_long_trace_is_cut_at_the_front(tmp_path: Path) -> None:
    code = _LOGGER.replace('"of the test"', '"x" * 1_000_000 + "the end"')
    _log(tmp_path, code, LOG_DIR=str(tmp_path))
    first = json.loads(_lines(tmp_path)[0])
    assert len(first["exception"]) == 32_000
    assert first["exception"].endswith("the end\n")


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "errors.log").mkdir()
    out = _log(tmp_path, LOG_DIR=str(tmp_path))
    assert out.count("an error without an exception") == 1
    assert "error file not written" in out
