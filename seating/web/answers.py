"""Rendering: an answer's model as JSON, the same bytes for the same values."""

from flask import Response
from pydantic import BaseModel


def render(answer: BaseModel, status: int = 200) -> Response:
    return Response(answer.model_dump_json(by_alias=True), status, content_type="application/json")
