"""A real nginx, as one process."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.programs import program

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {servers}
}}
"""


@contextmanager
def running_nginx(folder: Path, servers: str) -> Iterator[psutil.Process]:
    """With `servers` in its `http` block."""
    folder.mkdir()
    (folder / "nginx.conf").write_text(_CONFIGURATION.format(folder=folder, servers=servers))
    with (folder / "log").open("wb") as log:
        command = [program("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)
