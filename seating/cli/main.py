"""The `seating` command."""

import sys
from typing import NoReturn

import click
import redis
from sqlalchemy.exc import DatabaseError

from seating import __version__
from seating.cli import audit, books, events, keys, parts, plans
from seating.config import InvalidSettings
from seating.domain.errors import InvalidPlan, Overtaken, RecordUnavailable, SeatingError
from seating.services.rebuild import RebuildRefused
from seating.storage.api_keys import InvalidKeyFile


@click.group()
@click.version_option(__version__)
def seating() -> None:
    """The backend of a ticket on-sale. Settings come from the environment; docs/settings.md lists them."""


for command in (
    parts.up,
    parts.web,
    parts.worker,
    parts.cron,
    parts.partner,
    parts.migrate,
    parts.onsale,
    events.events,
    plans.plan,
    keys.keys,
    *books.COMMANDS,
    audit.audit,
):
    seating.add_command(command)


def main() -> NoReturn:
    """Ends with status 2 and one line when a setting, or what it points to, cannot work."""
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
        _refuse("\n".join(plans.fault_lines(error)))
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
