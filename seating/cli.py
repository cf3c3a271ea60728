"""The command line: the whole system, or each of its parts alone."""

import os
import sys
from pathlib import Path
from typing import NoReturn

import click
import redis

from seating import __version__
from seating.config import InvalidSettings, Settings, load_settings
from seating.domain.errors import SeatingError
from seating.redis_store import durability
from seating.redis_store.connection import plain_client
from seating.runtime import background_services
from seating.storage import migrations
from seating.storage.database import Database
from seating.telemetry import logs

PROJECT = Path(__file__).parents[1]


@click.group()
@click.version_option(__version__)
def seating() -> None:
    """The backend of a ticket on-sale. Settings come from the environment; docs/settings.md lists them."""


@seating.command()
def web() -> None:
    """Serve HTTP, against REDIS_URL and DATABASE_URL."""
    _prepared()
    config = str(PROJECT / "gunicorn.conf.py")
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", config, "--chdir", str(PROJECT), "wsgi:app"])


@seating.command()
def worker() -> None:
    """Record purchases in SQL."""
    from workers import rq_worker

    _prepared()
    rq_worker.run()


@seating.command()
def cron() -> None:
    """Look after open events, every second."""
    from workers import cron as loop

    _prepared()
    loop.run()


@seating.command()
@click.option("--port", default=0, help="0 takes a free one.")
@click.option("--seed", default=1, help="Of the dropped connections: the same seed drops the same ones.")
def partner(port: int, seed: int) -> None:
    """Stand in for the event partner, with a few users and its habits."""
    from seating.partner import stand_in

    _settings()
    stand_in.run(port, seed)


@seating.command()
def migrate() -> None:
    """Bring the database up to this version and make sure of the default event."""
    settings = _prepared()
    migrations.upgrade(Database(settings.effective_database_url))
    background_services(settings).events.ensure_demo(settings.default_event)


@seating.command()
def up() -> None:
    """Run everything: Redis, migrations, web, worker, cron and a partner, with one data folder."""
    from seating.launcher import up as launcher

    launcher.run(_settings())


@seating.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def onsale(words: tuple[str, ...]) -> None:
    """Buy with a thousand buyers at once from a running server, and check its books."""
    os.execv(sys.executable, [sys.executable, "-m", "seating.onsale", *words])


def main() -> NoReturn:
    """Ends with status 2 and one line when a setting, or what it points to, cannot work."""
    try:
        seating.main(standalone_mode=False)
    except InvalidSettings as error:
        _refuse(str(error))
    except redis.RedisError as error:
        _refuse(f"REDIS_URL: Redis does not answer: {error}")
    except SeatingError as error:
        _refuse(f"{error.message}: {error.__cause__}")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    sys.exit(0)


def _refuse(line: str) -> NoReturn:
    click.echo(f"seating: {line}", err=True)
    sys.exit(2)


def _settings() -> Settings:
    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    logs.configure(settings.log_level, settings.log_format)
    return settings


def _prepared() -> Settings:
    """The settings, once the Redis that they name has been seen to keep what it is told."""
    settings = _settings()
    durability.check(plain_client(settings.effective_redis_url))
    return settings
