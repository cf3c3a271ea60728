"""The web application in this process, over a real Redis and each kind of database, with a clock to move."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from seating import runtime
from seating.app import equipped, routed_app
from seating.config import Settings
from seating.redis_store import opening
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.connection import ScriptConnection
from seating.services.services import Services
from seating.storage import users
from seating.storage.database import Database
from seating.web.application import Application
from tests.moved_clock import MovedClock
from tests.processes import client, clock, process

__all__ = ["client", "clock", "process"]


_spare: list[Application] = []
"""The applications of processes that have ended: to build routes takes much longer than any test of them."""


class Web:
    """One web process of the product."""

    def __init__(self, settings: Settings, opened: list[AutoPipeline]) -> None:
        first = len(opened)
        self.services: Services = runtime.web_services(settings)
        self.calls = opened[first]  # Those opened after it carry long replies only.
        routes = _spare.pop() if _spare else routed_app()
        self.app = equipped(routes, settings, self.services, cast(Any, None))  # No test of users opens a socket.
        self.client: FlaskClient = self.app.test_client()
        self.queries: list[str] = []

        @event.listens_for(self.services.users.database.engine, "before_cursor_execute")
        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if "FROM users" in statement:
                self.queries.append(statement)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=headers)

    def create(self, **fields: Any) -> Any:
        return self.client.post("/users", json=fields)

    def end(self) -> None:
        """Leave the routes, without the frame of this process, to the next one."""
        del self.app.wsgi_app
        _spare.append(self.app)


@pytest.fixture
def web(
    redis_url: str, database_url: str, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Web]]:
    """Starts web processes over one migrated database; settings are those of the environment."""
    opened: list[AutoPipeline] = []

    def connect(connection: ScriptConnection) -> AutoPipeline:
        opened.append(AutoPipeline(connection))
        return opened[-1]

    monkeypatch.setattr(runtime.AnsweredWriter, "start", lambda _: None)  # It would go on after the test.
    monkeypatch.setattr(opening, "Scripts", lambda: clock.scripts)
    monkeypatch.setattr(opening, "AutoPipeline", connect)
    database = Database(database_url)
    database.write(users.ensure_demo)
    database.close()

    started: list[Web] = []

    def start(**chosen: Any) -> Web:
        settings = Settings(
            redis_url=redis_url,
            database_url=database_url,
            **{"rate_limit_users": "off", "seating_development": True, **chosen},
        )
        started.append(Web(settings, opened))
        return started[-1]

    yield start
    for one in started:
        one.end()
    for calls in opened:
        calls.close()
