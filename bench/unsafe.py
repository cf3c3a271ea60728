"""`python -m bench.unsafe worker`: a worker whose SQLite does not wait for the disk, only to be compared with."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from seating.cli.main import main


@event.listens_for(Pool, "checkout")
def _do_not_wait(connection: Any, *_: Any) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")


if __name__ == "__main__":
    main()
