"""The `seating` command."""

import sys
from importlib import import_module
from typing import Final, NoReturn

import click
import redis
from sqlalchemy.exc import DatabaseError

from seating import __version__
from seating.config import InvalidSettings
from seating.domain.errors import InvalidPlan, Overtaken, RebuildRefused, RecordUnavailable, SeatingError
from seating.storage.api_keys import InvalidKeyFile

_MODULES: Final = {
    "parts": ("up", "web", "worker", "cron", "sender", "partner", "migrate", "onsale"),
    "events": ("events",),
    "plans": ("plan",),
    "keys": ("keys",),
    "books": ("reconcile", "verify", "history", "rebuild", "merge", "losses", "export", "quarantine"),
    "audit": ("audit",),
    "webhooks": ("webhooks",),
}


class _Commands(click.Group):
    """Imports a command when it is asked for: to import all of them takes longer than most take to run."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return sorted(name for names in _MODULES.values() for name in names)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        for module, names in _MODULES.items():
            if name in names:
                command: click.Command = getattr(import_module(f"seating.cli.{module}"), name)
                return command
        return None


@click.group(cls=_Commands)
@click.version_option(__version__)
def seating() -> None:
    """The backend of a ticket on-sale. Settings come from the environment; docs/settings.md lists them."""


def main() -> NoReturn:
    """Exit with status 2 and one line on stderr if a setting, or what it points to, is unusable."""
    try:
        seating.main(standalone_mode=False)
    except InvalidSettings as error:
        _refuse(str(error))
    except InvalidKeyFile as error:
        _refuse(f"API_KEYS_FILE: {error}")
    except redis.RedisError as error:
        _refuse(f"REDIS_URL: Redis does not answer: {error}")
    except (RecordUnavailable, DatabaseError) as error:
        _refuse(f"DATABASE_URL: the database cannot be used: {str(error.__cause__).splitlines()[0]}")
    except InvalidPlan as error:
        from seating.cli.plans import fault_lines  # It is imported by now: only a plan can be invalid.

        _refuse("\n".join(fault_lines(error)))
    except SeatingError as error:
        reason = f": {str(error.__cause__).splitlines()[0]}" if error.__cause__ else ""
        _refuse(f"{error.message}{reason}")
    except Overtaken as error:
        _refuse(f"not now: {error}")
    except RebuildRefused as error:
        _refuse(f"not rebuilt: {error}")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    sys.exit(0)


def _refuse(line: str) -> NoReturn:
    click.echo(f"seating: {line}", err=True)
    sys.exit(2)
