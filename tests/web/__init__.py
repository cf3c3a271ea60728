"""The product's answers over HTTP, also to bytes that no HTTP library would send."""

import http.client
import json
import socket
import uuid
from contextlib import suppress
from typing import Any

import pytest

from tests.system import Answer, Client

JSON = {"Content-Type": "application/json"}


def table(rows: dict[str, tuple[Any, ...]]) -> list[Any]:
    """The rows of a parametrized test by their names."""
    return [pytest.param(*row, id=name) for name, row in rows.items()]


def post(path: str, body: bytes, **headers: str | None) -> bytes:
    """The bytes of a purchase request; `headers` have underscores for hyphens, and None leaves one out."""
    fields: dict[str, str | None] = {
        "Host": "localhost",
        **JSON,
        "Idempotency-Key": str(uuid.uuid4()),
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value is not None]
    return f"POST {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1") + body


def get(target: str, *lines: str, method: str = "GET") -> bytes:
    """The bytes of a request without a body; `lines` are further header lines."""
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: localhost", *lines, "", "")).encode("latin-1")


def connect(client: Client) -> socket.socket:
    return socket.create_connection(("127.0.0.1", client.port), timeout=20)


def exchange(client: Client, request: bytes, *, then_close: bool = False) -> Answer:
    """Sends `request` as it is and reads one answer; `then_close` closes the sending half after the last byte."""
    with connect(client) as connection:
        with suppress(ConnectionError):  # A server that has heard enough need not hear the rest.
            connection.sendall(request)
            if then_close:
                connection.shutdown(socket.SHUT_WR)
        return read_answer(connection, request.split(b" ", 1)[0].decode("latin-1"))


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response.status, dict(response.headers.items()), response.read())


def assert_problem(answer: Answer, status: int, code: str, field: str | None = None) -> Any:
    """An error as the contract has them, and nothing else in it. Returns the problem."""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(answer.body)
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["status"] == status
    assert problem["error"] == problem["code"] == code, problem
    assert problem["message"] == problem["detail"] != ""
    assert problem.get("field") == field, problem
    assert problem["requestId"] == answer.headers["X-Request-Id"]
    assert b"Traceback" not in answer.body
    assert b"<html" not in answer.body.lower()
    return problem


def seats_sold(client: Client) -> dict[str, int]:
    """Of every event there is."""
    sold: dict[str, int] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"/api/v1/events?limit=200&cursor={cursor}").json
        sold |= {event["id"]: event["seatsSold"] for event in page["events"]}
        cursor = page["next"]
    return sold


def operations(document: Any) -> set[tuple[str, str]]:
    """Method and path of each operation of the OpenAPI document."""
    return {(method, path) for path, methods in document["paths"].items() for method in methods}
