"""The product with two empty routes beside its own: as it frames all of them, and behind a limit."""

from flask import Response
from flask_openapi3 import APIBlueprint

import wsgi
from bench.bare import echo
from seating.web.rate_limiting import limited

_api = APIBlueprint("empty", __name__)
_api.post("/framed")(echo)


@_api.post("/limited")
@limited("users")
def echo_behind_the_limit() -> Response:
    return echo()


app = wsgi.app
app.register_api(_api)
