"""Who may do what."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system import Answer, System, running_system
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
    with running_system(folder, "web", **{"RATE_LIMIT_WRONG_KEYS": "off", **settings}) as running:
        yield running
