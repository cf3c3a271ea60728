"""What the README shows is there. tests/launcher/test_up.py runs it. Blocks it marks as not run are left out."""

import re
import shlex
import subprocess

from tests.system import PROJECT

README = (PROJECT / "README.md").read_text()
BLOCKS = re.findall(r"((?:[^\n]*\n){4})```console\n(.*?)```", README, re.DOTALL)
RUN = [block for before, block in BLOCKS if "(not run in CI)" not in before]


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


def test_each_target_is_there() -> None:
    for command, _ in commands("make"):
        recipe = subprocess.run([*shlex.split(command), "-n"], cwd=PROJECT, capture_output=True, text=True, check=True)
        assert recipe.stdout


def test_make_alone_lists_what_there_is() -> None:
    said = subprocess.run(["make"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^  make (([a-z-]+) +)\S.*$", said, re.MULTILINE)
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert [name for _, name in listed] == targets.split()
    assert len({len(column) for column, _ in listed}) == 1
