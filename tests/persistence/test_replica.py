"""Lists are read from a replica as long as it is fresh; what was just written is not looked for there."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import make_url

from seating.cli.doctor import stores
from seating.config import Settings
from seating.domain.errors import EventNotFound
from seating.domain.idempotency import short_hash
from seating.domain.purchase import Order, Purchase
from seating.runtime import BackgroundServices
from seating.services.income import Income
from seating.storage import terms
from seating.storage.database import Database
from seating.storage.replica import LaggingReads, Replica
from tests.one_process import OPERATOR
from tests.postgres_replica import PostgresReplica
from tests.servers import PostgresServer, wait_until

MUCH_S, LITTLE_S = 3_600, 1


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer) -> str:
    return postgres_server.new_database()


@pytest.fixture(scope="module")
def shared(postgres_server: PostgresServer, url: str) -> Iterator[PostgresReplica]:
    made = PostgresReplica(postgres_server, url)
    yield made
    made.remove()


@pytest.fixture
def replica(shared: PostgresReplica, url: str) -> Iterator[PostgresReplica]:
    """It has everything, and follows."""
    shared.catch_up(url)
    yield shared
    shared.go_on()


Open = Callable[[int], BackgroundServices]


@pytest.fixture
def opened(redis_url: str, url: str, replica: PostgresReplica) -> Open:
    def open_with(max_lag_s: int) -> BackgroundServices:
        return BackgroundServices(
            Settings(
                _env_file=None,
                redis_url=redis_url,
                database_url=url,
                database_read_url=replica.url,
                database_read_max_lag_s=max_lag_s,
            ),
            patient=True,
        )

    return open_with


def bought(sale: BackgroundServices, event_id: str, key: str) -> Purchase:
    receipt = sale.inventory.purchase(event_id, "shop", short_hash("shop", key), Order(1, reference=key))[0]
    sale.persistence.run_now(event_id)
    return sale.purchases.get(receipt.id)


def listed(sale: BackgroundServices, event_id: str, reference: str | None = None) -> list[str | None]:
    return [one.personal.reference for one in sale.purchase_lists.page(event_id, None, 10, reference).items]


def known(sale: BackgroundServices) -> None:
    """Until it is known how far the replica is behind."""
    replica = sale.reads.replica
    assert replica
    wait_until(lambda: replica.look().lag_s is not None, 60, "the lag to be known")


def test_a_list_may_be_old_and_a_purchase_may_not(opened: Open, replica: PostgresReplica, url: str) -> None:
    sale = opened(MUCH_S)
    event = sale.event_creation.create("Show", 9, None, OPERATOR).event.id
    bought(sale, event, "first")
    replica.catch_up(url)
    known(sale)
    replica.hold()
    second = bought(sale, event, "second")
    assert listed(sale, event) == ["first"]
    assert listed(sale, event, "second") == ["second"]
    assert sale.purchases.get(second.id).state == "persisted"
    income = Income(sale.reads, sale.box_office)
    assert income.of(event).purchases == 1
    acts = [found.act for found in sale.audit.page(None, 1, event).items]
    assert [act.action for act in acts] == ["event.create"]
    replica.go_on()
    wait_until(lambda: listed(sale, event) == ["second", "first"], 60, "the replica to have both")


def test_what_the_replica_does_not_know_yet_the_primary_does(opened: Open, replica: PostgresReplica, url: str) -> None:
    sale = opened(MUCH_S)
    replica.catch_up(url)
    known(sale)
    replica.hold()
    event = sale.event_creation.create("Show", 9, None, OPERATOR).event.id
    assert Income(sale.reads, sale.box_office).of(event).purchases == 0
    with pytest.raises(EventNotFound):
        Income(sale.reads, sale.box_office).of("nowhere")


def test_one_that_is_far_behind_is_not_asked(opened: Open, replica: PostgresReplica, url: str) -> None:
    sale = opened(LITTLE_S)
    event = sale.event_creation.create("Show", 9, None, OPERATOR).event.id
    replica.catch_up(url)
    known(sale)
    replica.hold()
    bought(sale, event, "first")
    asked = sale.reads.replica
    assert asked
    wait_until(lambda: asked.look().failure.endswith(" s behind"), 60, "it to be late")
    assert listed(sale, event) == ["first"]
    replica.go_on()
    wait_until(lambda: asked.look() == (0.0, ""), 60, "it to be used")


def test_one_that_cannot_be_compared_is_soon_not_asked(replica: PostgresReplica, url: str) -> None:
    """Both may be cut off from the primary, which others still write to."""
    direct = make_url(url)
    with TemporaryDirectory(prefix="seating-way-") as folder:
        way = Path(folder, "way")
        way.symlink_to(str(direct.query["host"]))
        by_way = direct.update_query_dict({"host": str(way)})
        primary, database = Database(by_way.render_as_string(hide_password=False)), Database(replica.url)
        looking = Replica(primary, database, LITTLE_S)
        try:
            wait_until(lambda: looking.look() == (0.0, ""), 60, "it to be used")
            way.unlink()
            primary.engine.dispose()
            wait_until(lambda: looking.look().failure.endswith(" s behind"), 60, "it to count as late")
            assert not looking.is_fresh()
            way.symlink_to(str(direct.query["host"]))
            wait_until(lambda: looking.look() == (0.0, ""), 60, "it to be used again")
        finally:
            for each in (primary, database):
                each.close()


def test_another_database_is_not_asked(url: str, postgres_server: PostgresServer) -> None:
    """Though it is a copy, as the abandoned one is after a restore."""
    primary, other = Database(url), Database(postgres_server.new_database())
    looking = Replica(primary, other, MUCH_S)
    try:
        assert primary.read(terms.database_id) == other.read(terms.database_id)
        assert looking.look() == (None, "it is of another database")
        assert not looking.is_fresh()
        seen = LaggingReads(primary, looking).read(lambda connection: str(connection.engine.url))
        assert seen == str(primary.engine.url)
    finally:
        for database in (primary, other):
            database.close()


def test_the_doctor_looks_at_it(replica: PostgresReplica, url: str) -> None:
    settings = Settings(_env_file=None, database_url=url, database_read_url=replica.url)
    (found,) = stores.replica(settings)
    assert (found.level, found.seen) == ("ok", "it is 0 s behind at most, and lists are read from it")
    *_, found = stores.replica(settings.model_copy(update={"database_read_url": url}))
    assert (found.level, found.seen) == ("warn", "it is the primary itself")


def test_it_needs_postgres(redis_url: str) -> None:
    with pytest.raises(ValueError, match="DATABASE_READ_URL needs a DATABASE_URL of Postgres"):
        Settings(_env_file=None, redis_url=redis_url, database_read_url="postgresql://127.0.0.1/seating")
