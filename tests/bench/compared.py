"""What gunicorn serves to the measurements: the product with an empty view beside it, and a bare Flask route."""

from flask import Flask, Response
from flask_openapi3 import APIBlueprint

import wsgi
from seating.web.parsing import parsed
from seating.web.rate_limiting import limited
from seating.web.users import UserPath

_BODY = b'{"id":"1","name":"Alice Johnson","email":"alice@example.com","plan":"free","isActive":true}'

app = wsgi.app
api = APIBlueprint("empty", __name__)


@api.get("/empty/<user_id>")
@limited("users")
@parsed
def empty(path: UserPath) -> Response:
    """Nothing, behind all that stands before a user"""
    return Response(_BODY, content_type="application/json")


app.register_api(api)

bare = Flask("bare")


@bare.route("/bare/<user_id>")
def nothing(user_id: str) -> Response:
    return Response(_BODY, content_type="application/json")
