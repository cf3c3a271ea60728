"""Plans are fetched once, however many ask at a time."""

from collections.abc import Iterator, Sequence
from typing import Any

import gevent
import pytest

from seating.domain.errors import InventoryUnavailable
from seating.domain.seating_plan import DEMO_HALL, generate
from seating.redis_store import keys
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import Argument, RedisUnavailable, Scripts
from seating.redis_store.connection import ScriptConnection
from seating.redis_store.event_scripts import MissingInventory
from seating.redis_store.plans import Plans

CROWD = 50


@pytest.fixture
def calls(redis_url: str) -> Iterator[AutoPipeline]:
    pipeline = AutoPipeline(ScriptConnection(redis_url, Scripts()))
    yield pipeline
    pipeline.close()


def ask_at_once(plans: Plans) -> list[Any]:
    asking = [gevent.spawn(plans.of, "hall") for _ in range(CROWD)]
    gevent.joinall(asking, timeout=10)
    return [one.value if one.successful() else one.exception for one in asking]


def test_a_crowd_fetches_a_plan_once(calls: AutoPipeline) -> None:
    calls.command("SET", keys.plan("hall"), generate(DEMO_HALL).pack())
    before = calls.calls
    found = ask_at_once(Plans(calls))
    assert calls.calls - before == 1
    assert {id(plan) for plan in found} == {id(found[0])}
    assert found[0].capacity == 5000


def test_what_went_wrong_is_told_to_all_and_forgotten(calls: AutoPipeline) -> None:
    plans = Plans(calls)
    assert {type(error) for error in ask_at_once(plans)} == {MissingInventory}
    calls.command("SET", keys.plan("hall"), generate(DEMO_HALL).pack())
    assert {type(plan).__name__ for plan in ask_at_once(plans)} == {"SeatingPlan"}


class _Away(AutoPipeline):
    """Redis, while nobody reaches it."""

    def command(self, *words: Argument) -> Any:
        raise AssertionError(words)

    def commands_of_each(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        gevent.sleep(0)
        raise RedisUnavailable("away")


def test_without_redis_everybody_is_told_so(redis_url: str) -> None:
    away = _Away(ScriptConnection(redis_url, Scripts()))
    assert {type(error) for error in ask_at_once(Plans(away))} == {InventoryUnavailable}
    away.close()
