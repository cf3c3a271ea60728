"""A shop of another origin: its pages and, as the product sends them, the files of the seat map."""

from collections import Counter
from collections.abc import Iterable
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from tests.system import PROJECT

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

STATIC: Final = PROJECT / "seating" / "static"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src *; img-src 'self'; base-uri 'none'"
)


STYLE: Final = """
html, body, main { margin: 0; block-size: 100% }
h1 { position: absolute; inset-inline-start: -999px }
seating-map { block-size: 100vh; border-radius: 0 }
"""


class Shop:
    """`pages` has the HTML of each path; `/static/…` are the product's files. `asked` counts the requests."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {"/favicon.ico": "", "/shop.css": STYLE}
        self.files: dict[str, Path] = {}
        self.asked: Counter[str] = Counter()
        self._server = WSGIServer(("127.0.0.1", 0), self._serve, log=None, spawn=Pool(64))
        self._server.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __call__(self, path: str) -> str:
        return self.origin + path

    def stop(self) -> None:
        """Close connections that browsers keep, too."""
        self._server.stop(timeout=0)

    def _serve(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.asked[path] += 1
        body = self._find(path)
        if body is None:
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        kind = guess_type(path)[0] or "text/html; charset=utf-8"
        policy = [("Content-Security-Policy", POLICY), ("Access-Control-Allow-Origin", "*")]
        start_response("200 OK", [("Content-Type", kind), ("Cache-Control", "no-store"), *policy])
        return [body]

    def _find(self, path: str) -> bytes | None:
        if path in self.pages:
            return self.pages[path].encode()
        file = self.files.get(path) or STATIC / path.removeprefix("/static/")
        within = path in self.files or (path.startswith("/static/") and file.resolve().is_relative_to(STATIC))
        return file.read_bytes() if within and file.is_file() else None
