"""Keys are never logged, by any part and at any level, however the request that has one is spelt."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from seating.domain.caller import Role
from seating.storage.api_keys import ApiKeys
from tests.doors import TOKEN, bearer
from tests.launched import Launched
from tests.live.client import Socket
from tests.web import connect, get

NOT_PLAIN = ("X-Twice: 1", "X-Twice: 2")
"""Header lines that only the careful parser reads."""

MALFORMED = {
    "no scheme": "Authorization: {}",
    "another scheme": "Authorization: Basic {}",
    "no such key": "Authorization: Bearer {}",
    "a parameter": 'Authorization: Digest username="a", response="{}"',
    "no colon": "Authorization Bearer {}",
    "a space before the colon": "Authorization : Bearer {}",
    "a control character": "Authorization: Bearer {}\0",
    "not ASCII": "Authorization: Bearer {}\xff",
    "folded": "Authorization: Bearer\r\n {}",
    "twice": "Authorization: Bearer {0}\r\nAuthorization: Bearer {0}",
    "too long": "Authorization: Bearer {} " + "a" * 20_000,
    "of another name": "Proxy-Authorization: Bearer {}",
}


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """Everything, at the level that says most, where any number of keys may be wrong."""
    folder = tmp_path_factory.mktemp("logs")
    settings = {"LOG_LEVEL": "debug", "WEB_WORKERS": "1", "RATE_LIMIT_WRONG_KEYS": "off"}
    running = Launched(folder / "data", ADMIN_TOKEN=TOKEN, **settings)
    try:
        yield running.start()
    finally:
        running.stop()


def test_no_log_has_an_authorization(launched: Launched) -> None:
    keys = ApiKeys(launched.folder / "api-keys")
    secrets = [TOKEN, *(keys.add(f"the-{role}", role, "2026-01-01T00:00:00Z") for role in Role)]
    for secret in secrets:
        for path in ("/api/v1/quarantine", "/getUsers", "/users/1", "/nothing-here"):
            launched.get(path, bearer(secret))
        launched.buy(1, **bearer(secret))
        launched.request("POST", "/api/v1/events", b"{", bearer(secret))
        with Socket(launched, headers={**bearer(secret)}) as feed:
            feed.message()
    for number, line in enumerate(MALFORMED.values()):
        for road in ((), NOT_PLAIN):
            secrets.append(f"a-secret-of-{'careful' if road else 'plain'}-road-{number}")
            _send(launched, get("/api/v1/quarantine", line.format(secrets[-1]), *road))
    launched.stop()
    logs = {path: path.read_text(errors="replace") for path in _logs(launched)}
    assert '"level":"debug"' in logs[launched.log]
    assert logs[launched.log].count('"event":"request"') >= len(secrets)
    found = {secret: path.name for secret in secrets for path, text in logs.items() if secret in text}
    assert found == {}


def _send(launched: Launched, request: bytes) -> None:
    with connect(launched) as connection, suppress(ConnectionError):
        connection.sendall(request)
        assert re.match(rb"HTTP/1.1 (401|400|404|431) ", connection.recv(4096))


def _logs(launched: Launched) -> list[Path]:
    """What all parts print, and what Redis writes."""
    return [launched.log, *launched.folder.rglob("*.log")]
