"""What the README shows is what happens. Blocks it marks as not run are left out; `make` is run as its recipe."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.launched import Launched
from tests.system import PROJECT

README = (PROJECT / "README.md").read_text()
BLOCKS = re.findall(r"((?:[^\n]*\n){4})```console\n(.*?)```", README, re.DOTALL)
RUN = [block for before, block in BLOCKS if "(not run in CI)" not in before]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    launched = Launched(tmp_path_factory.mktemp("readme") / "data").start()
    yield launched
    launched.stop()


def commands(program: str) -> list[tuple[str, str]]:
    """Each command of that program, and what the README says it answers."""
    found = []
    for block in RUN:
        for command, answer in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            if command.split()[0] == program:
                found.append((command, answer.strip()))
    return found


def test_nothing_else_is_shown() -> None:
    programs = {line.split()[1] for block in RUN for line in block.splitlines() if line.startswith("$ ")}
    assert programs == {"curl", "make"}


def test_curl(running: Launched) -> None:
    shown = commands("curl")
    assert len(shown) >= 2
    for command, answer in shown:
        words = shlex.split(command.replace("127.0.0.1:3000", f"127.0.0.1:{running.port}"))
        said = subprocess.run([*words, "-sS"], capture_output=True, text=True, timeout=30, check=True).stdout
        assert _without_chance(said) == _without_chance(answer)


def _without_chance(answer: str) -> object:
    """A purchase's id ends in 64 random bits, and positions begin with the running term, which is one of time."""
    terms = set(re.findall(r"\b\d{9}(?=-\d)", answer))
    assert len(terms) <= 1
    for term in terms:
        answer = answer.replace(term, "term")
    return json.loads(re.sub(r"(demo\.term-\d+)\.[0-9a-f]{16}", r"\1", answer))


def test_make(running: Launched) -> None:
    """Each target is there, and the recipe that is not this very test run does what the README says."""
    for command, _ in commands("make"):
        recipe = subprocess.run([*shlex.split(command), "-n"], cwd=PROJECT, capture_output=True, text=True, check=True)
        assert recipe.stdout
    rehearsal = subprocess.run(
        [sys.executable, "-m", "seating", "onsale", "--buyers", "50"],
        cwd=running.folder,
        env=running.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert rehearsal.returncode == 0, rehearsal.stdout + rehearsal.stderr


def test_make_alone_lists_what_there_is() -> None:
    said = subprocess.run(["make"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^  make (([a-z-]+) +)\S.*$", said, re.MULTILINE)
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert [name for _, name in listed] == targets.split()
    assert len({len(column) for column, _ in listed}) == 1
