"""Seating plans: what a map of the seats is drawn from."""

import gzip

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag

from seating.web.parsing import parsed
from seating.web.plan_schemas import PlanView
from seating.web.schemas import EventPath, problems
from seating.web.services import services

api = APIBlueprint("plans", __name__, abp_tags=[Tag(name="Plans", description=__doc__)])


@api.get("/api/v1/events/<event_id>/plan", responses={200: PlanView, 304: None, **problems(404, 409, 503)})
@parsed
def get_plan(path: EventPath) -> Response:
    """The seating plan of an event

    It never changes: ask once, and with `If-None-Match` later.
    """
    page = services().plan_pages.of(path.event_id)
    gzipped = request.accept_encodings["gzip"] > 0
    response = Response(content_type="application/json")
    response.headers["Cache-Control"] = "public, max-age=86400, immutable"
    response.headers["Vary"] = "Accept-Encoding"
    response.set_etag(page.etag, weak=True)  # The same for either coding.
    if request.if_none_match.contains_weak(page.etag):
        response.status_code = 304
        return response
    if gzipped:
        response.headers["Content-Encoding"] = "gzip"
    response.set_data(page.gzipped if gzipped else gzip.decompress(page.gzipped))
    return response
