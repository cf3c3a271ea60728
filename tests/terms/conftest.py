"""Two Redis servers and a database for the worlds of these tests, and the clock that all their processes go by."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seating.redis_store.calls import Scripts
from seating.services import answered, event_creation, merged_record, persistence, rebuild
from seating.storage import migrations
from seating.storage.database import Database
from tests import frozen_clock
from tests.terms.redis_pair import RedisPair
from tests.terms.stepwise import StepwiseDatabase
from tests.terms.world import World, WorldClock

Begin = Callable[..., World]
Changes = dict[str, tuple[str, str]]

_LUA = Path(rebuild.__file__).parents[1] / "redis_store" / "lua"


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisPair]:
    found = RedisPair(tmp_path_factory.mktemp("pair"))
    yield found
    found.stop()


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """SQLite, unless a test asks for Postgres."""
    if getattr(request, "param", "sqlite") == "postgres":
        url = request.getfixturevalue("postgres_server").new_database()
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('sql')}/seating.db"
    found = StepwiseDatabase(url, checkpoints=True)
    migrations.upgrade(found)
    yield found
    found.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WorldClock:
    found = WorldClock()
    for module in (answered, event_creation, merged_record, persistence, rebuild):
        monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def begin(pair: RedisPair, database: Database, clock: WorldClock) -> Iterator[Begin]:
    """A new world each time; with `changes` to the text of scripts: what is replaced by what."""
    begun: list[World] = []

    def make(changes: Changes | None = None, keep_s: int = 0) -> World:
        begun.append(World(pair, database, clock, _changed(changes) if changes else None, keep_s))
        return begun[-1]

    yield make
    for world in begun:
        world.close()


def _changed(changes: Changes) -> Scripts:
    replaced = {"clock": frozen_clock.CLOCK_LUA}
    for name, (old, new) in changes.items():
        text = (_LUA / f"{name}.lua").read_text()
        assert old in text, f"{name}.lua has changed; change its twin too"
        replaced[name] = text.replace(old, new)
    return Scripts(replaced)
