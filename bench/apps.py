"""What gunicorn serves to the measurements: the product with an empty route beside its own, and a bare Flask route."""

from flask import Flask, Response, jsonify, request
from flask_openapi3 import APIBlueprint

import wsgi
from seating.web.rate_limiting import limited

_api = APIBlueprint("empty", __name__)
bare = Flask("bare")


@bare.post("/bare")
@_api.post("/framed")
def echo() -> Response:
    return jsonify(request.get_json())


@_api.post("/limited")
@limited("users")
def echo_behind_the_limit() -> Response:
    return echo()


app = wsgi.app
app.register_api(_api)
