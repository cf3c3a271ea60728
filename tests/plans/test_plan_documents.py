"""A crowd on a fresh map: the document of its plan is rendered once."""

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import get_hub

from seating.domain.errors import PlanNotFound
from seating.domain.plan_document import PlanDocument, render
from seating.domain.seating_plan import DEMO_HALL, generate
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import Scripts
from seating.redis_store.connection import ScriptConnection
from seating.redis_store.inventory import Inventory
from seating.redis_store.plans import Plans
from seating.services.plan_documents import PlanDocuments
from seating.services.seat_names import SeatNames
from tests.one_process import OneProcess, on_sqlite

pytestmark = on_sqlite  # No document needs another kind of database.

CROWD = 200


class Threads:
    """Where the web process renders and decompresses, and how often it did."""

    def __init__(self) -> None:
        self.renderings = 0

    def run(self, work: Callable[[], Any]) -> Any:
        self.renderings += 1
        return get_hub().threadpool.apply(work)


@pytest.fixture
def names(sale: OneProcess) -> Iterator[SeatNames]:
    """As a web process has them."""
    calls = AutoPipeline(ScriptConnection(sale.redis_url, Scripts()))
    inventory = Inventory(calls, backlog_max_entries=1, backlog_memory_percent=90)
    yield SeatNames(Plans(calls), inventory, sale.database, sale.events.presence)
    calls.close()


def ask_at_once(documents: PlanDocuments, event_id: str, *, gzipped: bool = True) -> list[PlanDocument | PlanNotFound]:
    def ask() -> PlanDocument | PlanNotFound:
        try:
            return documents.of(event_id, gzipped=gzipped)
        except PlanNotFound as error:
            return error

    asking = [gevent.spawn(ask) for _ in range(CROWD)]
    gevent.joinall(asking, timeout=30, raise_error=True)
    return [one.get() for one in asking]


def test_a_crowd_of_first_visitors_costs_one_rendering(sale: OneProcess, names: SeatNames) -> None:
    hall, threads = generate(DEMO_HALL), Threads()
    answers = ask_at_once(PlanDocuments(names, threads.run), sale.open(plan=hall))
    assert set(answers) == {render(hall)}
    assert threads.renderings == 1


def test_without_gzip_it_costs_one_decompression_more(sale: OneProcess, names: SeatNames) -> None:
    hall, threads = generate(DEMO_HALL), Threads()
    documents, event_id = PlanDocuments(names, threads.run), sale.open(plan=hall)
    rendered = render(hall)
    for _ in range(2):
        plain = rendered._replace(body=gzip.decompress(rendered.body))
        assert set(ask_at_once(documents, event_id, gzipped=False)) == {plain}
        assert set(ask_at_once(documents, event_id)) == {rendered}
    assert threads.renderings == 2


def test_of_general_admission_everyone_in_it_is_refused(sale: OneProcess, names: SeatNames) -> None:
    answers = ask_at_once(PlanDocuments(names, Threads().run), sale.open(10))
    assert {type(answer) for answer in answers} == {PlanNotFound}
