"""The pages for people, and the files that these pages and those of shops load."""

import gzip
import hashlib
from functools import cache
from mimetypes import types_map
from pathlib import Path
from typing import Final, NamedTuple

from flask import Blueprint, Response, request

from seating.domain.origin import Authority
from seating.web.callers import Access, open_to
from seating.web.origins import client_host
from seating.web.parsing import parsed
from seating.web.request_errors import NotFound
from seating.web.responses import JSON, accepts_gzip, render_kept
from seating.web.schemas import EventPath

pages = Blueprint("pages", __name__)
"""No operations of the API, so not among `Routes`: the OpenAPI document does not list them."""

_FOLDER: Final = Path(__file__).parents[1] / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": JSON,
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
}
"""Of texts, which are sent compressed. The system's table of types would call `.ts` a video."""
_OF_OTHERS: Final = frozenset({"control", "vendor"})
"""Folders whose modules the page of an event does not load."""
_FOR_SHOPS: Final = frozenset({".css", ".js", ".ts"})

_REVALIDATED: Final = "no-cache"
"""Modules import each other by addresses that never change, so an old one must not meet a new one."""
_FOREVER: Final = "public, max-age=31536000, immutable"
"""For vendored libraries, which have their versions in their addresses."""


class StaticFile(NamedTuple):
    """A file as it is sent; a text is also kept gzipped."""

    body: bytes
    compressed: bytes | None
    tag: str
    media_type: str

    @classmethod
    def of(cls, body: bytes, suffix: str) -> "StaticFile":
        tag = hashlib.sha256(body).hexdigest()[:32]
        if suffix in _TYPES:
            # No time in the gzip header: all processes must send the same bytes under one ETag.
            return cls(body, gzip.compress(body, mtime=0), tag, _TYPES[suffix])
        return cls(body, None, tag, types_map.get(suffix, "application/octet-stream"))


@pages.get("/static/<path:name>")
@open_to(Access.ANYBODY)
def get_static_file(name: str) -> Response:
    """Serve a file to pages of any origin: shops embed the seat map."""
    path = _paths().get(name)
    if path is None:
        raise NotFound
    response = render_file(_read(path), _FOREVER if name.startswith("vendor/") else _REVALIDATED)
    if path.suffix in _FOR_SHOPS:
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@pages.get("/events/<event_id>")
@open_to(Access.ANYBODY)
@parsed
def get_event_page(path: EventPath) -> Response:
    """Serve the buyer's page, whether there is such an event or not: it asks, and says so."""
    return _page(_event_page(path.event_id))


@pages.get("/control")
@open_to(Access.ANYBODY)
def get_control_page() -> Response:
    """Serve the control room. All that it shows and does goes through routes that want a key."""
    return _page(_read(_FOLDER / "pages" / "control.html"))


def prefers_page() -> bool:
    """Whether the client is a browser that shows a page, rather than a program."""
    accepted = request.accept_mimetypes
    return accepted["text/html"] > accepted[JSON]


def default_event_page(event_id: str) -> Response:
    response = _page(_event_page(event_id))
    response.headers["Vary"] = "Accept, Accept-Encoding"
    return response


@cache
def _paths() -> dict[str, Path]:
    """All files by their names in addresses; whatever else an address names does not exist."""
    return {path.relative_to(_FOLDER).as_posix(): path for path in _FOLDER.rglob("*") if path.is_file()}


@cache
def _read(path: Path) -> StaticFile:
    return StaticFile.of(path.read_bytes(), path.suffix)


def _event_page(event_id: str) -> StaticFile:
    """The page says which event it shows: the address of the default event's does not."""
    body = _read(_FOLDER / "pages" / "event.html").body.replace(b"<!-- modules -->", _modules())
    # An event's id has letters, digits and hyphens only.
    return StaticFile.of(body.replace(b'data-event=""', b'data-event="%s"' % event_id.encode()), ".html")


@cache
def _modules() -> bytes:
    """Name the page's modules in its head, so that they come at once and not one import after the other."""
    names = [name for name in sorted(_paths()) if name.endswith(".js") and name.split("/")[0] not in _OF_OTHERS]
    return "".join(f'<link rel="modulepreload" href="/static/{name}">' for name in names).encode()


def _page(page: StaticFile) -> Response:
    response = render_file(page)
    response.headers["Content-Security-Policy"] = _policy()
    return response


def render_file(file: StaticFile, cache_control: str = _REVALIDATED) -> Response:
    gzipped = file.compressed is not None and accepts_gzip()
    body = file.compressed if gzipped and file.compressed is not None else file.body
    response = render_kept(body, file.tag, gzipped=gzipped, cache_control=cache_control)
    response.headers["Content-Type"] = file.media_type
    return response


def _policy() -> str:
    """Return the policy of our own pages. Older browsers do not take `'self'` for WebSockets too."""
    try:
        host, port = Authority.parse(client_host(request))
    except ValueError:
        sockets = ""
    else:
        own = f"{host}:{port}" if port else host
        sockets = f" ws://{own} wss://{own}"
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'{sockets}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
