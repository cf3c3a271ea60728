"""Renders responses as JSON: the same values always give the same bytes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from flask import Response, request
from pydantic import BaseModel

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

JSON: Final = "application/json"


class WholeResponse(Response):
    """A complete, non-empty body, sent without checking its headers again."""

    def __init__(self, body: bytes, status: int = 200, media_type: str = JSON) -> None:
        super().__init__([body], status, [("Content-Type", media_type), ("Content-Length", str(len(body)))])

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "HEAD" or self.status_code == 304:
            return super().__call__(environ, start_response)
        start_response(self.status, list(self.headers))
        return cast(list[bytes], self.response)


def render(answer: BaseModel, status: int = 200) -> Response:
    return WholeResponse(answer.model_dump_json(by_alias=True).encode(), status)


def render_fields(fields: dict[str, Any]) -> Response:
    """Render a frequent response at a quarter of the cost of its model, which only documents it."""
    return WholeResponse(orjson.dumps(fields))


def accepts_gzip() -> bool:
    return request.accept_encodings["gzip"] > 0


def render_kept(body: bytes, tag: str, *, gzipped: bool, cache_control: str = "no-cache") -> Response:
    """Send a prepared body, or 304 to a client that has it.

    The tag is weak because it is the same for the plain and the gzipped body.
    """
    response = WholeResponse(body)
    response.set_etag(tag, weak=True)
    response.headers["Cache-Control"] = cache_control
    response.headers["Vary"] = "Accept-Encoding"
    if request.if_none_match.contains_weak(tag):
        response.status_code = 304
    elif gzipped:
        response.headers["Content-Encoding"] = "gzip"
    return response
