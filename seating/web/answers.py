"""Rendering: an answer's model as JSON, the same bytes for the same values."""

from datetime import UTC, datetime

from flask import Response
from pydantic import BaseModel


def render(answer: BaseModel, status: int = 200) -> Response:
    return Response(answer.model_dump_json(by_alias=True), status, content_type="application/json")


def rfc3339(at_ms: int) -> str:
    """A moment in ms since 1970, as RFC 3339 in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
