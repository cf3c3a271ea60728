"""PgBouncer in transaction mode, in front of the tests' Postgres: each transaction may get another connection."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from tests.programs import program
from tests.servers import wait_until
from tests.system import free_port

_CONFIGURATION = """
[databases]
* = host={host} port={postgres_port} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 500
server_reset_query =
"""


@contextmanager
def in_front_of(database_url: str, connections: int) -> Iterator[str]:
    """Yield the URL of the same database by way of PgBouncer, which has that many connections to it."""
    url = make_url(database_url)
    path = program("pgbouncer")
    with tempfile.TemporaryDirectory(prefix="seating-pgbouncer-") as name:
        folder, port = Path(name), free_port()
        configuration, log = folder / "pgbouncer.ini", folder / "log"
        where = {"host": url.query["host"], "postgres_port": url.query["port"]}
        configuration.write_text(_CONFIGURATION.format(**where, port=port, connections=connections))
        owner = None
        if os.geteuid() == 0:  # It refuses to run as root, as Postgres does.
            owner = "nobody"
            shutil.chown(folder, owner)
        with log.open("wb") as output:
            process = subprocess.Popen([path, str(configuration)], stdout=output, stderr=output, user=owner)
        pooled = url.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        try:
            wait_until(lambda: _answers(pooled), what="PgBouncer to answer")
            yield pooled
        finally:
            process.terminate()
            process.wait(timeout=20)


def plain(url: str) -> str:
    """As libpq takes it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(plain(url), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
