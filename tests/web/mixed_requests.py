"""Requests made of parts of recorded ones, and asked by many clients at once.

A new request takes Schemathesis a hundred times as long as it takes the server to answer it.
"""

import http.client
import json
import random
import uuid
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

CLIENTS: Final = 8
_OF_THE_CONNECTION: Final = frozenset({"authorization", "connection", "content-length", "host", "transfer-encoding"})


class Request(NamedTuple):
    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None


def recorded(har: Path) -> list[Request]:
    """Return the requests of an HTTP archive."""
    return [_request(entry["request"]) for entry in json.loads(har.read_text())["log"]["entries"]]


def _request(said: dict[str, Any]) -> Request:
    headers = {one["name"]: one["value"] for one in said["headers"] if one["name"].lower() not in _OF_THE_CONNECTION}
    target = "/" + said["url"].split("/", 3)[3]
    posted = said.get("postData")
    return Request(said["method"], target, headers, _body(posted) if posted else None)


def _body(posted: dict[str, Any]) -> bytes:
    return b64decode(posted["text"]) if posted.get("encoding") == "base64" else posted["text"].encode()


def mixed(requests: Sequence[Request], seed: int) -> Iterator[Request]:
    """Yield recorded requests for ever, most of them with something of another."""
    chance = random.Random(seed)
    while True:
        method, target, headers, body = chance.choice(requests)
        other = chance.choice(requests)
        headers = dict(headers)
        if chance.random() < 0.2:
            target = _crossed(target, other.target, chance)
        if chance.random() < 0.2:
            body = other.body
        elif body and other.body and chance.random() < 0.4:
            body = _grafted(body, other.body, chance)
        if other.headers and chance.random() < 0.2:
            name = chance.choice(list(other.headers))
            headers[name] = other.headers[name]
        if chance.random() < 0.5:
            headers["Idempotency-Key"] = str(uuid.UUID(int=chance.getrandbits(128)))
        yield Request(method, target, headers, body)


def _crossed(target: str, other: str, chance: random.Random) -> str:
    """Replace one segment of the path by another's, or the query."""
    path, _, query = target.partition("?")
    other_path, _, other_query = other.partition("?")
    if chance.random() < 0.5:
        return f"{path}?{other_query}"
    segments = path.split("/")
    segments[chance.randrange(1, len(segments))] = chance.choice(other_path.split("/"))
    return "/".join(segments) + (f"?{query}" if query else "")


def _grafted(body: bytes, other: bytes, chance: random.Random) -> bytes:
    """Replace one member of a JSON object by one of another's, or add it."""
    try:
        into, of = json.loads(body), json.loads(other)
    except ValueError:
        return body
    if not (isinstance(into, dict) and isinstance(of, dict) and of):
        return body
    value = of[chance.choice(list(of))]
    into[chance.choice([*into, *of])] = value
    return json.dumps(into).encode()


def ask(port: int, token: str, requests: Sequence[Request], count: int) -> Counter[int]:
    """Ask about `count` mixed requests with the operator's token; return how many had each status."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        counts = pool.map(lambda seed: _ask(port, token, mixed(requests, seed), count // CLIENTS), range(CLIENTS))
        return sum(counts, Counter())


def _ask(port: int, token: str, requests: Iterator[Request], count: int) -> Counter[int]:
    answered: Counter[int] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for request in islice(requests, count):
        headers = {**request.headers, "Authorization": f"Bearer {token}"}
        try:
            connection.request(request.method, request.target, request.body, headers)
            response = connection.getresponse()
            body = response.read()
        except (ValueError, http.client.HTTPException, ConnectionError):
            connection.close()  # http.client refused to send it, or the server had closed the connection.
            continue
        assert response.status < 500 or response.status in (502, 503, 504), (request, response.status, body)
        answered[response.status] += 1
    return answered
