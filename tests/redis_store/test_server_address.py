"""What a URL says about where Redis is."""

from contextlib import closing
from typing import Any

import pytest
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

from seating.redis_store import opening
from seating.redis_store.calls import RedisUnavailable, Scripts
from seating.redis_store.connection import ScriptConnection
from seating.redis_store.plain_client import plain_client
from seating.redis_store.server_address import (
    cluster_hosts,
    connection_options,
    fails_over,
    is_cluster,
    server_in_cluster,
)
from tests.system import free_port


@pytest.mark.parametrize(
    ("url", "connection"),
    [
        ("redis://localhost:7000/2", Connection),
        ("rediss://:secret@redis.example", SSLConnection),
        ("unix:///tmp/redis.sock", UnixDomainSocketConnection),
    ],
)
def test_a_plain_url_names_the_server(url: str, connection: type[Any]) -> None:
    assert connection_options(url)["connection_class"] is connection
    assert not fails_over(url)


def test_a_sentinel_url_has_all_that_a_plain_one_has() -> None:
    url = "redis+sentinel://user:p%40ss%2Fword@one,two:5000,[::1]:6000/sale/3?sentinel_password=other%26"
    options = connection_options(url)
    assert fails_over(url)
    sentinels = options.pop("sentinels")
    assert issubclass(options.pop("connection_class"), Connection)
    assert options == {"username": "user", "password": "p@ss/word", "db": 3}
    assert sentinels.hosts == [("one", 26379), ("two", 5000), ("::1", 6000)]
    assert sentinels.options == {"ssl": False, "username": None, "password": "other&"}


def test_tls_is_for_the_sentinels_too() -> None:
    options = connection_options("rediss+sentinel://one/sale?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=false")
    assert issubclass(options["connection_class"], SSLConnection)
    tls = {"ssl_ca_certs": "/etc/ca.pem", "ssl_check_hostname": False}
    assert tls.items() <= options.items()
    assert ({"ssl": True} | tls).items() <= options["sentinels"].options.items()


def test_the_url_of_a_cluster_leads_to_each_of_its_servers() -> None:
    url = "rediss+cluster://user:p%40ss%2Fword@one,[::1]:6380?ssl_ca_certs=/etc/ca.pem"
    assert is_cluster(url)
    assert fails_over(url)
    assert cluster_hosts(url) == [("one", 6379), ("::1", 6380)]
    options = connection_options(server_in_cluster(url, "::1", 6380))
    assert options == {
        "connection_class": SSLConnection,
        "host": "::1",
        "port": 6380,
        "username": "user",
        "password": "p@ss/word",
        "ssl_ca_certs": "/etc/ca.pem",
    }


def test_no_option_changes_how_a_connection_is_used(redis_url: str) -> None:
    url = f"{redis_url}?protocol=3&socket_timeout=0.000001"
    with closing(opening.direct(url)) as calls:
        assert calls.command("CONFIG", "GET", "appendonly") == [b"appendonly", b"yes"]
    assert plain_client(url).config_get("appendonly") == {"appendonly": "yes"}


def test_a_cluster_that_does_not_answer_is_no_redis() -> None:
    with closing(opening.direct(f"redis+cluster://127.0.0.1:{free_port()}")) as calls:
        with pytest.raises(RedisUnavailable):
            calls.primaries()
        with pytest.raises(RedisUnavailable):
            calls.command("GET", "a")


def test_sentinels_that_do_not_answer_are_no_redis() -> None:
    url = f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{free_port()}/sale"
    with pytest.raises(RedisUnavailable):
        ScriptConnection(url, Scripts()).connect()
