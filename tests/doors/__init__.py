"""Who may do what."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import RedisServer
from tests.system import Answer, System
from tests.web import assert_problem

TOKEN = "correct-horse-battery-staple-and-more"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def assert_unauthorized(answer: Answer) -> None:
    assert_problem(answer, 401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@contextmanager
def web_alone(folder: Path, **settings: str) -> Iterator[System]:
    """One web process that takes any number of wrong keys."""
    redis = RedisServer(folder / "redis")
    redis.start()
    settings = {"WEB_WORKERS": "1", "RATE_LIMIT_WRONG_KEYS": "off", **settings}
    running = System(folder / "data", redis, f"sqlite:///{folder / 'seating.db'}", **settings)
    try:
        yield running.start("web")
    finally:
        running.stop()
        redis.stop()
