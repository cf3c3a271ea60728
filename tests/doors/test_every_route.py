"""Every route, asked by everybody: nobody gets further than the route's policy says."""

from pathlib import Path

import pytest
from flask import Flask

from seating import runtime
from seating.app import create_app
from seating.config import Settings
from seating.domain.caller import Role
from seating.storage import migrations
from seating.storage.api_keys import ApiKeys
from seating.storage.database import Database
from seating.web.callers import Access
from tests.doors import bearer
from tests.servers import RedisServer

DOCUMENTATION = ("openapi", "swagger", "docs")
"""What endpoints of the document of the routes begin with, and of the pages that show it."""

ALLOWED = {
    Access.ANYBODY: {"nobody", "sell", "read", "operate", "page", "proxy", "cross-site"},
    Access.HOLDERS: {"nobody", "sell", "read", "operate", "page", "proxy", "cross-site"},
    Access.BUYERS: {"nobody", "sell", "operate", "page", "proxy", "cross-site"},
    Access.SHOPS: {"sell", "read", "operate"},
    Access.READERS: {"read", "operate"},
    Access.OPERATORS: {"operate"},
    Access.USERS: {"read", "operate"},
    Access.USER_CHANGES: {"operate"},
}
"""With keys in place; `page`, `proxy` and `cross-site` send none."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("doors")


@pytest.fixture(scope="module")
def asking(folder: Path) -> dict[str, dict[str, str]]:
    """The headers of each kind of caller."""
    keys = ApiKeys(folder / "api-keys")
    secrets = {role.value: bearer(keys.add(f"the-{role}", role, "2026-01-01T00:00:00Z")) for role in Role}
    return secrets | {
        "nobody": {},
        "wrong": bearer("seating-operate-" + "x" * 43),
        "page": {"Host": "evil.example"},
        "proxy": {"X-Forwarded-For": "192.0.2.1"},
        "cross-site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    }


@pytest.fixture(scope="module")
def app(folder: Path, redis_server: RedisServer) -> Flask:
    settings = Settings(
        redis_url=redis_server.url,
        database_url=f"sqlite:///{folder / 'seating.db'}",
        seating_data_dir=folder,
        seating_development=True,
        users_access="key",
        rate_limit_users="off",
        rate_limit_wrong_keys="off",
    )
    database = Database(settings.effective_database_url)
    migrations.upgrade(database)
    database.close()
    return create_app(settings, runtime.web_services(settings), None)  # type: ignore[arg-type]


def _routes(app: Flask) -> list[tuple[str, str, str]]:
    """Method, an address and endpoint of each route that is no WebSocket."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.websocket or rule.endpoint.startswith(DOCUMENTATION):
            continue
        values = dict.fromkeys(rule.arguments, "nothing-here")
        address = app.url_map.bind("localhost").build(rule.endpoint, values, method=min(rule.methods or ()))
        found += [(method, address, rule.endpoint) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}]
    return found


def test_every_view_says_whom_it_answers(app: Flask) -> None:
    routes = _routes(app)
    assert len(routes) > 30
    silent = [endpoint for _, _, endpoint in routes if not hasattr(app.view_functions[endpoint], "access")]
    assert silent == []


def test_nobody_gets_further_than_the_policy_says(app: Flask, asking: dict[str, dict[str, str]]) -> None:
    wrong: list[object] = []
    client = app.test_client()
    for method, address, endpoint in _routes(app):
        access: Access = app.view_functions[endpoint].access  # type: ignore[attr-defined]
        for who, headers in asking.items():
            answer = client.open(address, method=method, headers=headers)
            refused = answer.status_code in (401, 403)
            if who == "wrong":
                right = answer.status_code == (401 if access is not Access.ANYBODY else answer.status_code)
            elif who in ALLOWED[access]:
                right = not refused
            else:
                expected, code = (403, "FORBIDDEN") if who in {*Role} else (401, "UNAUTHORIZED")
                right = answer.status_code == expected and answer.json["code"] == code
            if not right:
                wrong.append((method, address, access, who, answer.status_code))
    assert wrong == []
