"""Commands that start the system, or one part of it. Each imports only what it needs, so that it starts fast."""

import os
import sys
from pathlib import Path

import click

from seating.cli import startup_checks

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
PROJECT = Path(__file__).parents[2]


@click.command()
def web() -> None:
    """Serve HTTP, against REDIS_URL and DATABASE_URL."""
    settings = startup_checks.settings_of_part()
    # A process of the old version may have to start while others are replaced.
    startup_checks.check_tables(settings, allow_newer=True)
    startup_checks.warn_of_readers(settings)
    config = str(PROJECT / "gunicorn.conf.py")
    words = [sys.executable, "-m", "gunicorn", "-c", config, "--pythonpath", str(PROJECT), "wsgi:app"]
    # In place of this process, so that a supervisor's signals reach gunicorn's master.
    os.execv(sys.executable, words)


@click.command()
def worker() -> None:
    """Record purchases in SQL."""
    from workers import rq_worker

    startup_checks.check_tables(startup_checks.settings_of_part())
    rq_worker.run()


@click.command()
def cron() -> None:
    """Maintain open events, every second."""
    from workers import cron as loop

    startup_checks.check_tables(startup_checks.settings_of_part())
    loop.run()


@click.command()
def sender() -> None:
    """Send webhooks."""
    settings = startup_checks.settings()
    startup_checks.refuse_without_key(settings)
    startup_checks.check_tables(settings)
    # A separate process, so that gevent can patch all of its sockets.
    os.execv(sys.executable, [sys.executable, "-m", "workers.sender"])


@click.command()
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0 picks a free port.")
@click.option("--seed", default=1, help="Decides which connections are dropped.")
def partner(port: int, seed: int) -> None:
    """Imitate the event partner, with a few users."""
    from seating import stand_in

    startup_checks.settings()
    stand_in.run(port, seed)


@click.command()
@click.option("--with-demo", is_flag=True, hidden=True, help="Add the event and users of `seating up`.")
def migrate(with_demo: bool) -> None:
    """Upgrade the database to this version."""
    from seating.runtime import BackgroundServices
    from seating.storage import migrations, users
    from seating.storage.database import Database

    settings = startup_checks.settings_with_redis()
    database = Database(settings.effective_database_url, patient=True)
    migrations.upgrade(database)
    if with_demo:
        database.write(users.ensure_demo)
        BackgroundServices(settings).event_creation.ensure_demo(settings.default_event)


@click.command()
def up() -> None:
    """Run the whole system on this machine, with its data in one folder."""
    from seating.launcher import up as launcher

    settings = startup_checks.settings()
    # Only people at this machine may do without a key, and on other addresses strangers can connect.
    if settings.bind not in _LOOPBACK:
        startup_checks.refuse_without_key(settings)
    launcher.run(settings)


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def onsale(words: tuple[str, ...]) -> None:
    """Let a thousand buyers buy at once, and check the books."""
    os.execv(sys.executable, [sys.executable, "-m", "seating.rehearsal", *words])
