"""Scripts as a page or Node.js runs them, each of which reports to the test what it saw."""

import json
import os
import shutil
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from tests.programs import chromium

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_NODE = ("node", "--experimental-websocket")
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
_REPORT = """
let last = Promise.resolve()
const report = (...said) => { last = last.then(() => fetch('/report', {method: 'POST', body: JSON.stringify(said)})) }
"""


class Pages:
    """A server of pages with one script each. `reports` has what they reported, by the host that they came from."""

    def __init__(self, port: int = 0) -> None:
        self.scripts: dict[str, str] = {}
        self.reports: defaultdict[str, list[Any]] = defaultdict(list)
        self._server = WSGIServer(("127.0.0.1", port), self._serve, log=None, spawn=Pool(64))
        self._server.start()

    def __call__(self, path: str, host: str = "127.0.0.1") -> str:
        """The URL of a page, by one of the two names of this machine: they are two origins."""
        return f"http://{host}:{self._server.server_port}{path}"

    def stop(self) -> None:
        """Close connections that browsers keep, too."""
        self._server.stop(timeout=0)

    def _serve(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            self.reports[environ["HTTP_HOST"].partition(":")[0]].append(json.load(environ["wsgi.input"]))
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        script = self.scripts.get(environ["PATH_INFO"], "")
        return [f'<!doctype html><body><script type="module">{_REPORT}{script}</script>'.encode()]


class Browser:
    """Chromium on one page, until it is stopped."""

    def __init__(self, folder: Path, url: str, *options: str) -> None:
        self._process = _start((*_chromium(folder), *options, url), folder / "chromium.log")

    def stop(self) -> None:
        _end(self._process)


class NodeScript:
    """Node.js running a module that calls `report`."""

    def __init__(self, folder: Path, script: str) -> None:
        module = folder / "script.mjs"
        module.write_text(f"const report = (...said) => console.log(JSON.stringify(said))\n{script}")
        self._said = folder / "said.log"
        self._process = _start((*_NODE, "--no-warnings", str(module)), self._said)

    @property
    def reports(self) -> list[Any]:
        return [json.loads(line) for line in self._said.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def stop(self) -> None:
        _end(self._process)


def node_has_websockets() -> bool:
    if shutil.which("node") is None:
        return False
    return subprocess.run((*_NODE, "-e", "WebSocket"), capture_output=True, check=False).returncode == 0


def look_at(folder: Path, url: str) -> tuple[str, str]:
    """The markup of a page when it has settled, and what Chromium logged, violations of its policy included."""
    command = (*_chromium(folder), "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom", url)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, done.stderr


def _chromium(folder: Path) -> tuple[str, ...]:
    return chromium(), *_OPTIONS, f"--user-data-dir={folder / 'profile'}"


def _start(command: tuple[str, ...], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)


def _end(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
