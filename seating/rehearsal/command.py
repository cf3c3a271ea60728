"""`seating onsale`: runs the rehearsal and reports."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import click

from seating.config import InvalidSettings, load_settings
from seating.domain.purchase import MAX_QUANTITY
from seating.rehearsal import books, buyers, report
from seating.rehearsal.books import Wrong
from seating.rehearsal.buyers import Progress
from seating.rehearsal.sale import LAG_WITHIN_S, RehearsedSale
from seating.rehearsal.server import HttpClient, Unreachable

# For the connections of the checks, and what the process has open anyway.
_OTHER_FILES: Final = 64


def _server(_context: click.Context, _option: click.Parameter, url: str | None) -> HttpClient:
    try:
        return HttpClient(url or f"http://127.0.0.1:{load_settings().port}")
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--url", "server", callback=_server, help="The server  [default: http://127.0.0.1:$PORT]")
@click.option("--buyers", "count", default=1000, show_default=True, type=click.IntRange(1, 50_000), help="Buy at once.")
@click.option(
    "--quantity", default=1, show_default=True, type=click.IntRange(1, MAX_QUANTITY), help="Seats for each buyer."
)
@click.option("--event", "event_id", metavar="ID", help="The event  [default: the server's default event]")
@click.option("--retried", default=10, show_default=True, type=click.IntRange(0, 100), help="Percent who repeat.")
def onsale(server: HttpClient, count: int, quantity: int, event_id: str | None, retried: int) -> None:
    """Let a crowd buy at once, then check the books.

    Exit status 0: the books are right. 1: they are wrong. 2: the server is unreachable.
    """
    files, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, count + _OTHER_FILES), most_files))
    except ValueError:
        refused = f"{count:,} connections exceed this system's limit for a process: see ulimit -n"
        raise click.UsageError(refused) from None
    if _rehearse(RehearsedSale(server, event_id or None, quantity), count, retried):
        sys.exit(1)


def main() -> NoReturn:
    """Exit with the status of `onsale`; status 2 comes with one line on stderr."""
    try:
        onsale.main(prog_name="seating onsale", standalone_mode=False)
    except (InvalidSettings, Unreachable) as error:
        click.echo(f"seating: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    sys.exit(0)


def _rehearse(sale: RehearsedSale, count: int, retried_percent: int) -> list[Wrong]:
    """Run the whole rehearsal and return every violation. Raises Unreachable."""
    before = sale.counts(patiently=False)
    click.echo(report.opening(sale, count, before))
    crowd = buyers.gather(sale, count, retried_percent)
    with _bar("connecting", count) as connected:
        buyers.connect(crowd, connected)
    with _bar("buying", count) as answered:
        rush = buyers.release(crowd, answered)
    bought, wrong = books.read_answers(crowd)
    click.echo(report.figures(crowd, rush))
    click.echo(report.lag(sale.seconds_to_lag_zero(bought, rush.ended_at), LAG_WITHIN_S))
    after = sale.counts()
    with _bar("checking", len(bought)) as checked:
        wrong += books.check(sale, crowd, bought, before, after, checked)
    click.echo(report.books(after, len(bought), wrong))
    return wrong


@contextmanager
def _bar(label: str, length: int) -> Iterator[Progress]:
    """Show progress on stderr, only on a terminal, so that the figures can be piped."""
    steps = max(1, length // 50)
    hidden = not sys.stderr.isatty()
    with click.progressbar(
        length=length, label=f"{label:<10}", file=sys.stderr, update_min_steps=steps, hidden=hidden, show_eta=False
    ) as bar:
        yield lambda: bar.update(1)
