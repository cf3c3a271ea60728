"""What gunicorn serves to the tests of the server: no Redis, no framework."""

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from seating.config import load_settings
from seating.server import client_socket, conversation
from seating.telemetry.exposition import exposition

BIG_BYTES = 1 << 20

_SLOWLY = Path(os.environ.get("ECHO_SLOWLY", os.devnull))
"""A file of how many seconds it takes to load the application, from when it is written."""
if _SLOWLY.is_file():
    time.sleep(float(_SLOWLY.read_text()))
conversation.HEAD_WITHIN_S = float(os.environ.get("ECHO_HEAD_WITHIN_S", conversation.HEAD_WITHIN_S))
client_socket.SEND_WITHIN_S = float(os.environ.get("ECHO_SEND_WITHIN_S", client_socket.SEND_WITHIN_S))


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = _body(environ)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def _body(environ: dict[str, Any]) -> bytes:
    path = environ["PATH_INFO"]
    if path == "/big":
        return bytes(BIG_BYTES)
    if path == "/connections":
        return str(load_settings().web_connections).encode()
    if path == "/metrics":
        return exposition([])
    if path == "/pid":
        return str(os.getpid()).encode()
    received: bytes = environ["wsgi.input"].read()
    headers = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
    return json.dumps({"method": environ["REQUEST_METHOD"], "body": received.decode(), "headers": headers}).encode()
