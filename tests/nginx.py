"""A real nginx, as one process."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.programs import program
from tests.system import PROJECT

DEPLOYED = PROJECT / "deploy" / "nginx" / "seating.conf"

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


def deployed(folder: Path, upstreams: Sequence[int], port: int, tls: Path | None = None) -> str:
    """Return deploy/nginx/seating.conf with what is marked as yours filled in: one port, logs in `folder`.

    `tls` is a folder with certificate and key; without it, the same server speaks plain HTTP.
    """
    text = DEPLOYED.read_text().replace("/var/log/nginx", str(folder))
    servers = "".join(f"server 127.0.0.1:{upstream} max_fails=0; " for upstream in upstreams)
    text = _replaced(r"server 127\.0\.0\.1:3000 max_fails=0;\s+server 127\.0\.0\.1:3100 max_fails=0;", servers, text)
    text = _replaced(r"server \{\s+listen 80;.*?\n\}", "", text)
    if tls:
        text = text.replace("/etc/ssl/seating", str(tls))
        return _replaced(r"listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;", text)
    text = _replaced(r"listen 443 ssl http2;", f"listen 127.0.0.1:{port};", text)
    return _replaced(r"ssl_certificate .*?ssl_session_timeout 1d;", "", text)


def _replaced(pattern: str, new: str, text: str) -> str:
    found, count = re.subn(pattern, new, text, flags=re.DOTALL)
    assert count == 1, pattern
    return found


@contextmanager
def running_nginx(folder: Path, servers: str) -> Iterator[psutil.Process]:
    """With `servers` in its `http` block."""
    folder.mkdir(exist_ok=True)
    (folder / "nginx.conf").write_text(_CONFIGURATION.format(folder=folder, servers=servers))
    with (folder / "log").open("wb") as log:
        command = [program("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)
