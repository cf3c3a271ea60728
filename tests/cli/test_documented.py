"""docs/cli.md names every command with all its options, and nothing else."""

import re
from collections.abc import Iterator

import click

from seating.cli.main import seating
from tests.system import PROJECT

PAGE = (PROJECT / "docs" / "cli.md").read_text()
ROW = re.compile(r"^\| `(seating [a-z ]+?)(?: [^`a-z][^`]*)?` \| (.*?) \|", re.MULTILINE)


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    if group.invoke_without_command and path != "seating":
        yield path, group
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _options(command: click.Command) -> set[str]:
    found = (option for option in command.params if isinstance(option, click.Option) and not option.hidden)
    return {name for option in found for name in option.opts if name != "--help"}


def test_every_command_is_documented_with_its_options() -> None:
    documented = {row[1]: set(re.findall(r"--[a-z-]+", row[2])) for row in ROW.finditer(PAGE)}
    real = {path: _options(command) for path, command in _commands(seating, "seating")}
    real["seating onsale"] = documented["seating onsale"]  # It has a parser of its own, with --help.
    assert documented == real


def test_every_command_that_prints_prints_json() -> None:
    silent = {"up", "web", "worker", "cron", "sender", "partner", "migrate", "onsale", "plan show", "export"}
    without = {
        path.removeprefix("seating ")
        for path, command in _commands(seating, "seating")
        if "--json" not in _options(command)
    }
    assert without == silent


def test_the_help_lists_commands_by_section() -> None:
    text = seating.get_help(click.Context(seating, info_name="seating"))
    assert re.findall(r"^([A-Z][A-Za-z ]+):$", text, re.MULTILINE) == ["Options", "The system", "Sales", "Books"]
    lines = text.partition("The system:")[2]
    assert "..." not in lines  # Each line says all it has to say.
