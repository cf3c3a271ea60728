"""The command that examines an installation."""

import sys
from collections.abc import Iterator
from functools import partial
from typing import Final

import click

from seating.cli import startup_checks
from seating.cli.doctor import configuration, machine, stores
from seating.cli.doctor.findings import Finding, Level, run
from seating.cli.printing import as_json, print_table
from seating.config import InvalidSettings, Settings

_COLUMNS: Final = {"level": "", "subject": "WHAT", "seen": "SEEN", "change": "CHANGE"}
_CHECKS: Final = {
    "settings": configuration.settings,
    "keys": configuration.keys,
    "data folder": configuration.data_folder,
    "Redis": stores.redis_server,
    "SQL": stores.database,
    "SQL replica": stores.replica,
    "clocks": stores.clocks,
    "parts": stores.parts,
    "webhooks": stores.webhooks,
    "limits": machine.limits,
    "disk": machine.disk,
    "memory": machine.memory,
}


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Examine the installation, and say what to change.

    Looks at settings, keys, Redis, SQL, clocks, workers, webhooks, what waits for an operator, and this machine's
    limits. Run it with the environment of the running system; it changes nothing. Exit status 1 if anything fails.
    """
    findings = list(_examine())
    print_table([finding._asdict() for finding in findings], _COLUMNS, as_json)
    sys.exit(any(finding.level is Level.FAIL for finding in findings))


def _examine() -> Iterator[Finding]:
    yield from run("settings", configuration.misspelled)
    try:
        loaded: Settings = startup_checks.operator_settings()
    except InvalidSettings as error:
        yield Finding("settings", Level.FAIL, str(error), "docs/settings.md describes each setting")
        return
    for name, check in _CHECKS.items():
        yield from run(name, partial(check, loaded))
