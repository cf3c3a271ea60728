"""The checker finds nothing in a clean run, and each of many faults that are planted into what was recorded of it."""

from collections.abc import Iterator

import pytest

from tests.proof import checker
from tests.proof.final_state import FinalState
from tests.proof.history import RecordedHistory
from tests.proof.short_sale import SETTINGS, ShortSale
from tests.proof.story import tell
from tests.servers import RedisServer
from tests.system import System

Run = tuple[RecordedHistory, list[FinalState]]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run of real processes in which nothing is broken."""
    folder = tmp_path_factory.mktemp("proof")
    redis = RedisServer(folder / "redis")
    redis.start()
    system = System(folder / "data", redis, f"sqlite:///{folder / 'seating.db'}", **SETTINGS)
    try:
        system.start("worker", "cron", "sender", "web")
        sale = ShortSale(system, folder)
        sale.run()
        yield sale.end()
    finally:
        system.stop()
        redis.stop()


def test_a_clean_run_passes(clean: Run) -> None:
    history, finals = clean
    breaches = checker.check(history, finals)
    assert not breaches, "\n\n".join(tell(breach, history) for breach in breaches[:5])
