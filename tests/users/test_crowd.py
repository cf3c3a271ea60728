"""Everybody at once, over real processes: how many queries reach the database, counted there."""

import http.client
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest
from gevent.event import Event
from sqlalchemy import create_engine, text

from tests.servers import PostgresServer, RedisServer, wait_until
from tests.system import Answer, System

# The log has a statement over several lines, and its parameters in a line of their own.
_QUERY = "FROM users"


@contextmanager
def _starting(folder: Path, redis: RedisServer, postgres: PostgresServer) -> Iterator[Callable[..., System]]:
    """Starts web processes over one Redis and one Postgres that logs what it is asked."""
    systems: list[System] = []
    url = postgres.new_database()
    postgres.log_statements(url)

    def start(**settings: str) -> System:
        chosen = {"RATE_LIMIT_USERS": "off", **settings}
        systems.append(System(folder / f"data-{len(systems)}", redis, url, **chosen))
        return systems[-1].start("web", *([] if len(systems) > 1 else ["cron"]))

    try:
        yield start
    finally:
        for system in systems:
            system.stop()


@pytest.fixture
def start(tmp_path: Path, own_redis: RedisServer, postgres_server: PostgresServer) -> Iterator[Callable[..., System]]:
    with _starting(tmp_path, own_redis, postgres_server) as start:
        yield start


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[list[System]]:
    """Two processes. The tests that have them stand in order, for some change the tables."""
    folder = tmp_path_factory.mktemp("pair")
    redis = RedisServer(folder / "redis")
    redis.start()
    try:
        with _starting(folder, redis, postgres_server) as start:
            yield [start() for _ in range(2)]
    finally:
        redis.stop()


def _at_once(ask: Callable[[int], Answer], count: int) -> list[Answer]:
    begin = Event()

    def one(number: int) -> Answer:
        begin.wait()
        return ask(number)

    asking = [gevent.spawn(one, number) for number in range(count)]
    gevent.sleep(0)
    begin.set()
    gevent.joinall(asking, timeout=120, raise_error=True)
    return [greenlet.get() for greenlet in asking]


def _sources(answers: list[Answer]) -> Counter[str]:
    return Counter(answer.headers["X-Cache"] for answer in answers)


def _refuse_what_is_read_already(url: str) -> None:
    """From now on a read of a user takes 20 ms, and fails while another one of the same user is under way."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE users RENAME TO kept"))
        connection.execute(
            text("""
                CREATE FUNCTION alone(id text) RETURNS boolean COST 100000 LANGUAGE plpgsql AS $$
                BEGIN
                    IF NOT pg_try_advisory_lock(hashtext(id)) THEN
                        RAISE EXCEPTION 'user % is being read already', id;
                    END IF;
                    PERFORM pg_sleep(0.02);
                    RETURN pg_advisory_unlock(hashtext(id));
                END $$""")
        )
        connection.execute(text("CREATE VIEW users AS SELECT * FROM kept WHERE alone(id)"))
    engine.dispose()


def test_a_hundred_for_one_uncached_user(start: Callable[..., System], postgres_server: PostgresServer) -> None:
    """Two processes, each asked by fifty, and time enough for all to come before the one answer does."""
    processes = [start(DB_LATENCY_MS="300") for _ in range(2)]
    for user, status in (("3", 200), ("nobody", 404)):
        processes[0].request("DELETE", "/users/cache")  # Its counts begin anew.
        before = postgres_server.statements(_QUERY)
        answers = _at_once(lambda number, user=user: processes[number % 2].get(f"/users/{user}"), 100)
        assert {answer.status for answer in answers} == {status}
        assert postgres_server.statements(_QUERY) - before == 1
        assert _sources(answers)["MISS"] == 1
        found = processes[1].get("/cache-status").json
        assert (found["misses"], found["hits"] + found["coalesced"], found["totalRequests"]) == (1, 99, 100)


def test_without_latency_it_is_one_query_as_well(pair: list[System], postgres_server: PostgresServer) -> None:
    """Some look before the user is in the cache and ask for the lease after."""
    for round_ in range(5):
        pair[0].request("DELETE", "/cache")
        before = postgres_server.statements(_QUERY)
        answers = _at_once(lambda number: pair[number % 2].get("/users/3"), 100)
        assert {answer.status for answer in answers} == {200}
        assert postgres_server.statements(_QUERY) - before == 1, round_


def test_one_address_for_twenty_at_once(pair: list[System]) -> None:
    """By a constraint: whoever looks first would find it free, all of them. Without it, as the twin shows, they do."""
    system = pair[0]
    assert _take_at_once(system, "same@example.com") == {201: 1, 409: 19}
    engine = create_engine(system.database_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE users DROP CONSTRAINT uq_users_email"))
    engine.dispose()
    assert _take_at_once(system, "twin@example.com") == {201: 20}


def _take_at_once(system: System, address: str) -> Counter[int]:
    body = json.dumps({"name": "A", "email": address}).encode()
    answers = _at_once(lambda _: system.request("POST", "/users", body, {"Content-Type": "application/json"}), 20)
    return Counter(answer.status for answer in answers)


def test_a_second_query_for_the_same_user_would_be_seen(pair: list[System]) -> None:
    """The twin: a user who is read by somebody else at that moment cannot be read."""
    system = pair[0]
    system.request("DELETE", "/users/cache")
    _refuse_what_is_read_already(system.database_url)
    engine = create_engine(system.database_url)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('3'))"))
        assert system.get("/users/3").status >= 500
        assert system.get("/users/2").status == 200
    engine.dispose()
    assert system.get("/users/3").status == 200


def test_a_thousand_for_two_hundred_users_through_a_hundred_entries(
    start: Callable[..., System], postgres_server: PostgresServer, own_redis: RedisServer
) -> None:
    """Five for each at one moment, over two processes, and never two queries for one of them at a time."""
    processes = [start(DB_LATENCY_MS="20") for _ in range(2)]
    system = processes[0]
    for number in range(6, 201):
        created = system.request(
            "POST",
            "/users",
            f'{{"id":"{number}","name":"N","email":"n{number}@example.com"}}'.encode(),
            {"Content-Type": "application/json"},
        )
        assert created.status == 201
    system.request("DELETE", "/users/cache")
    _refuse_what_is_read_already(system.database_url)
    counting, sizes = True, []

    def watch() -> None:
        observer = own_redis.client()
        while counting:
            sizes.append(observer.zcard("cache:{users}:order"))
            gevent.sleep(0.001)

    watching = gevent.spawn(watch)
    before = postgres_server.statements(_QUERY)
    answers = _at_once(lambda number: processes[number % 2].get(f"/users/{number // 5 + 1}"), 1000)
    counting = False
    watching.join()
    assert {answer.status for answer in answers} == {200}
    assert [answer.json["id"] for answer in answers] == [str(number // 5 + 1) for number in range(1000)]
    assert max(sizes) == 100
    queries = postgres_server.statements(_QUERY) - before
    sources = _sources(answers)
    assert queries == sources["MISS"]
    found = system.get("/cache-status").json
    assert found["size"] == found["capacity"] == 100
    assert (found["misses"], found["hits"], found["coalesced"]) == tuple(
        sources[name] for name in ("MISS", "HIT", "COALESCED")
    )


def test_the_process_that_fetches_is_killed(
    start: Callable[..., System], postgres_server: PostgresServer, own_redis: RedisServer
) -> None:
    """Its one worker is alone with the lease; the processes of another launcher wait for it, and then fetch."""
    fetching = start(DB_LATENCY_MS="60000")
    others = start(WEB_WORKERS="2")
    doomed = gevent.spawn(fetching.get, "/users/3")
    flight = "flight:{users:3}"
    wait_until(lambda: own_redis.client().exists(flight), what="the lease")
    asking = [gevent.spawn(others.get, "/users/3") for _ in range(20)]
    wait_until(lambda: others.get("/health").status == 200)
    left_ms = own_redis.client().pttl(flight)
    fetching.parts["web"].kill()
    answers = [greenlet.get(timeout=(left_ms + 2_000) / 1000) for greenlet in asking]
    assert {answer.status for answer in answers} == {200}
    assert _sources(answers)["MISS"] == 1
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        doomed.get()


def test_what_is_due_is_swept(start: Callable[..., System], own_redis: RedisServer) -> None:
    system = start(CACHE_TTL_S="0.5")
    system.get("/users/1")
    assert own_redis.client().zcard("cache:{users}:order") == 1
    wait_until(lambda: own_redis.client().zcard("cache:{users}:order") == 0, 15, "the sweep")
    assert system.get("/cache-status").json["expirations"] == 1


def test_without_redis_users_are_answered_and_seats_are_not_sold(
    start: Callable[..., System], own_redis: RedisServer
) -> None:
    system = start(RATE_LIMIT_USERS="1/1h")
    assert [system.get("/users/1").status for _ in range(2)] == [200, 429]
    own_redis.kill()
    answers = [system.get("/users/1") for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
    assert _sources(answers) == {"MISS": 3}
    assert "RateLimit" not in answers[0].headers
    refused = system.buy(1)
    assert (refused.status, refused.json["error"]) == (503, "INVENTORY_UNAVAILABLE")
    assert int(refused.headers["Retry-After"]) > 0
    assert system.get("/cache-status").status == 503
    metrics = system.get("/metrics", {"Accept": "text/plain"}).body.decode()
    assert 'seating_done_without_redis_total{what="limit users"} 3.0' in metrics
    assert 'seating_done_without_redis_total{what="cache"}' in metrics
    log = system.parts["web"].log.read_text()
    assert '"event":"rate limit unavailable"' in log
    assert '"event":"cache unavailable"' in log
