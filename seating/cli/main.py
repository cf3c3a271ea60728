"""The `seating` command."""

import sys
from importlib import import_module
from typing import Final, NoReturn

import click
import redis
from sqlalchemy.exc import DatabaseError

from seating import __version__
from seating.config import InvalidSettings
from seating.domain.errors import InvalidPlan, RecordUnavailable, SeatingError
from seating.domain.recovery_errors import Overtaken, RebuildRefused, UnreadableEntry
from seating.storage.api_keys import InvalidKeyFile

_SECTIONS: Final = {
    "The system": {
        "up": "parts",
        "web": "parts",
        "worker": "parts",
        "cron": "parts",
        "sender": "parts",
        "migrate": "parts",
        "doctor": "doctor.command",
        "size": "size",
        "partner": "parts",
        "onsale": "parts",
    },
    "Sales": {
        "events": "events",
        "plan": "plans",
        "purchases": "purchases",
        "export": "books",
        "keys": "keys",
        "audit": "audit",
        "webhooks": "webhooks",
    },
    "Books": {
        "reconcile": "books",
        "verify": "books",
        "history": "books",
        "quarantine": "books",
        "losses": "books",
        "rebuild": "books",
        "merge": "books",
    },
}
"""The module of each command, by the section of the help that lists it."""


class _Commands(click.Group):
    """Imports a command when it is asked for: to import all of them takes longer than most take to run."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return [name for modules in _SECTIONS.values() for name in modules]

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        for modules in _SECTIONS.values():
            if name in modules:
                command: click.Command = getattr(import_module(f"seating.cli.{modules[name]}"), name)
                return command
        return None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for section, modules in _SECTIONS.items():
            commands = [(name, self.get_command(context, name)) for name in modules]
            with formatter.section(section):
                formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in commands if command])


@click.group(cls=_Commands)
@click.version_option(__version__)
def seating() -> None:
    """The backend of a ticket on-sale.

    Settings come from the environment; docs/settings.md lists them, and docs/cli.md the commands. Commands that print
    do so for people, or as JSON with --json. Exit status: 0, or 1 if a check fails, or 2 if the command cannot do what
    was asked.
    """


def main() -> NoReturn:
    """Exit with status 2 and one line on stderr if a setting, or what it points to, is unusable."""
    try:
        # By itself, click would exit with 1 at Ctrl-C, which here says that a check failed.
        seating.main(standalone_mode=False)
    except InvalidSettings as error:
        _refuse(str(error))
    except InvalidKeyFile as error:
        _refuse(f"API_KEYS_FILE: {error}")
    except redis.RedisError as error:
        _refuse(f"REDIS_URL: Redis does not answer: {error}")
    except (RecordUnavailable, DatabaseError) as error:
        # The first line is the reason; those behind it quote the statement.
        _refuse(f"DATABASE_URL: the database cannot be used: {str(error.__cause__).splitlines()[0]}")
    except InvalidPlan as error:
        from seating.cli.plans import fault_lines  # It is imported by now: only a plan can be invalid.

        _refuse("\n".join(fault_lines(error)))
    except SeatingError as error:
        reason = f": {str(error.__cause__).splitlines()[0]}" if error.__cause__ else ""
        _refuse(f"{error.message}{reason}")
    except Overtaken as error:
        _refuse(f"not now: {error}")
    except (RebuildRefused, UnreadableEntry) as error:
        _refuse(f"not rebuilt: {error}")
    except click.ClickException as error:
        error.show()
        # Not its own status: some of them have 1, which here says that a check failed.
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    sys.exit(0)


def _refuse(line: str) -> NoReturn:
    click.echo(f"seating: {line}", err=True)
    sys.exit(2)
