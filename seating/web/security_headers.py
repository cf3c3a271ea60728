"""Headers of every response: nothing is cached, framed, sniffed or loaded unless a view says otherwise."""

import base64
import hashlib
import re
from typing import Final

from flask import Flask, Response

COMMON: Final = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
"""The resource policy is for images and scripts. It does not stop pages that read responses by CORS."""

_NAMES: Final = frozenset(name for name, _ in COMMON)

_INLINE: Final = re.compile(rb'<script>(.*?)</script>|\sonclick="(.*?)"', re.DOTALL)


def add_common(headers: list[tuple[str, str]]) -> None:
    """Add the common headers that `headers` lacks."""
    given = {name for name, _ in headers}
    headers += COMMON if given.isdisjoint(_NAMES) else [header for header in COMMON if header[0] not in given]


def register(app: Flask) -> None:
    """Let the documentation's pages load their own files and run their inline scripts."""
    for blueprint in ("openapi", "swagger"):
        app.after_request_funcs.setdefault(blueprint, []).append(_allow_page)


def _allow_page(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _page_policy(response.get_data())
    return response


def _page_policy(page: bytes) -> str:
    """Return the policy for a page. Swagger UI uses inline styles, so those are allowed."""
    inline = [script or handler for script, handler in _INLINE.findall(page)]
    digests = [base64.b64encode(hashlib.sha256(text).digest()).decode() for text in inline]
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'self' 'unsafe-hashes' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
