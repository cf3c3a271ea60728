"""Settings: described as they are, refused with one line when they cannot work."""

import os
import re
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from annotated_types import Ge, Le

from seating.config import InvalidSettings, Settings, load_settings
from seating.domain.origin import Origin
from seating.redis_store import plain_client
from tests import forked
from tests.books import command
from tests.doors import TOKEN
from tests.servers import RedisServer
from tests.system import PROJECT, clean_environment, free_port

_ROW = re.compile(r"\| `([A-Z0-9_]+)` \| (.+?) \| .+? \| (.+?) \| .+? \|")
_DOCUMENTED = {
    match[1]: (match[2], match[3])
    for match in map(_ROW.fullmatch, (PROJECT / "docs" / "settings.md").read_text().splitlines())
    if match
}

_SECRET = "0123456789abcdef"
_BAD_VALUES = [
    ("PORT", "abc"),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("OPS_BIND", "9000"),
    ("OPS_BIND", "127.0.0.1:65536"),
    ("WEB_WORKERS", "0"),
    ("WEB_WORKERS", "2.5"),
    ("WEB_CONNECTIONS", "1"),
    ("REDIS_URL", f"http://:{_SECRET}@x"),
    ("REDIS_URL", "redis+sentinel://host:26379"),
    ("REDIS_URL", "redis+sentinel://host:port/sale"),
    ("REDIS_URL", "redis+cluster://host:port"),
    ("REDIS_URL", "redis+cluster://one,two/1"),
    ("REDIS_URL", "rediss+cluster://"),
    ("REDIS_URL", "redis://host?protocol=3"),
    ("REDIS_URL", "unix:///redis.sock?db=1&socket_timeout=60"),
    ("REDIS_URL", "redis+sentinel://host/sale?health_check_interval=1"),
    ("REDIS_URL", "redis+cluster://host?max_connections=1"),
    ("REDIS_URL", "redis+cluster://host?db=1"),
    ("REDIS_URL", f"redis://host?sentinel_password={_SECRET}"),
    ("REDIS_URL", "redis://host?ssl_ca_certs=/ca.pem"),
    ("REDIS_URL", "rediss://host?ssl_ca_cert=/ca.pem"),
    ("REDIS_URL", "rediss://host?ssl_min_version=TLSv1.2"),
    ("REDIS_URL", "redis://host?db=first"),
    ("REDIS_MAXMEMORY_MB", "1"),
    ("DATABASE_URL", f"mysql://x:{_SECRET}@x"),
    ("DATABASE_URL", f"postgresql://x/seating?password={_SECRET}&prepare_threshold=0"),
    ("TRUSTED_PROXIES", "1"),
    ("TRUSTED_PROXIES", "127.0.0.1/8"),
    ("ADMIN_TOKEN", "0123456789abcdef0123456789abcde"),
    ("ADMIN_TOKEN", "not visible: 0123456789abcdef0123456789abcdef"),
    ("DEFAULT_EVENT", "Not An Id"),
    ("BACKLOG_MAX_ENTRIES", "0"),
    ("BACKLOG_MEMORY_PERCENT", "96"),
    ("HOLD_EXTEND_STEP_S", "0"),
    ("IDEMPOTENCY_KEY_MIN", "0"),
    ("IDEMPOTENCY_KEY_MIN", "37"),
    ("RATE_LIMIT_HOLDS", "often"),
    ("LOG_KEEP_S", "-1"),
    ("LOG_KEEP_MEMORY_PERCENT", "101"),
    ("CORS_ORIGINS", "*"),
    ("CORS_ORIGINS", "https://shop.example/"),
    ("LIVE_ORIGINS", "https://shop.example, *"),
    ("EVENT_API_BASE_URL", "http://partner:abc"),
    ("EVENT_API_BASE_URL", "http://partner:70000"),
    ("EVENT_API_BASE_URL", "http://part ner"),
    ("EVENT_API_BASE_URL", f"https://user:{_SECRET}@partner.example"),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
    ("LOG_ADDRESSES", "all"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", f"https://user:{_SECRET}@collector.example"),
    ("TRACE_SHARE", "2"),
]
_PARTS = ("web", "worker", "cron")
_WRONG_ON_REDIS = [
    ("appendonly", "no"),
    ("appendfsync", "everysec"),
    ("no-appendfsync-on-rewrite", "yes"),
    ("maxmemory", "0"),
    ("maxmemory-policy", "allkeys-lru"),
]


def test_every_setting_is_documented_with_its_default_and_nothing_else_is() -> None:
    defaults = {
        name.upper(): "not set" if field.default is None else f"`{field.default}`"
        for name, field in Settings.model_fields.items()
    }
    assert {name: default for name, (default, _) in _DOCUMENTED.items()} == defaults


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if field.annotation is int])
def test_documented_bounds_are_those_of_the_code(name: str) -> None:
    limits = Settings.model_fields[name].metadata
    (least,) = (limit.ge for limit in limits if isinstance(limit, Ge))
    (most,) = (limit.le for limit in limits if isinstance(limit, Le))
    assert _DOCUMENTED[name.upper()][1] == f"{least:,} to {most:,}"


@pytest.mark.usefixtures("empty_environment")
@pytest.mark.parametrize(("name", "value"), _BAD_VALUES)
def test_a_bad_value_is_refused_in_one_line_that_names_it(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    assert str(refused.value).startswith(f"{name}: ")
    assert "\n" not in str(refused.value)
    assert _SECRET not in str(refused.value)


@pytest.mark.parametrize(("name", "value"), [_BAD_VALUES[0], _BAD_VALUES[-1], ("LOG_DIR", "/dev/null/logs")])
def test_a_bad_value_stops_the_start_with_that_line(name: str, value: str, tmp_path: Path) -> None:
    assert _refusal("web", tmp_path, {name: value}).startswith(f"seating: {name}: ")


@pytest.fixture
def empty_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a `.env` of the test's own, and no setting from anywhere else."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    return tmp_path


def test_a_file_of_settings_is_read(empty_environment: Path) -> None:
    (empty_environment / ".env").write_text(f"PORT=4100\nADMIN_TOKEN={TOKEN}\nSOMEBODY_ELSES=1\n")
    settings = load_settings()
    assert settings.port == 4100
    assert settings.admin_token is not None
    assert settings.admin_token.get_secret_value() == TOKEN


def test_the_environment_wins_over_the_file(empty_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_environment / ".env").write_text("PORT=4100\n")
    monkeypatch.setenv("PORT", "4200")
    assert load_settings().port == 4200


def test_a_bad_value_in_the_file_is_refused_too(empty_environment: Path) -> None:
    (empty_environment / ".env").write_text("PORT=abc\n")
    with pytest.raises(InvalidSettings, match=r"^PORT: .*'abc'"):
        load_settings()


@pytest.mark.usefixtures("empty_environment")
@pytest.mark.parametrize(
    "url",
    [
        "redis://host/3?protocol=",  # Nothing, to redis-py.
        "redis://host?db=3&username=u&password=p%3F&client_name=seating",
        "unix:///redis.sock?db=1&password=p",
        "rediss://host?ssl_ca_certs=/ca.pem&ssl_check_hostname=false&ssl_cert_reqs=none&ssl_min_version=771",
        "rediss+sentinel://one,[::1]:6000/sale?sentinel_username=s&sentinel_password=p&ssl_keyfile=/key.pem",
        "rediss+cluster://one,[::1]:6000?ssl_ca_path=/certificates",
    ],
)
def test_options_of_redis_say_where_it_is_and_who_connects(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    assert load_settings().effective_redis_url == url


@pytest.mark.usefixtures("empty_environment")
@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_name_of_postgres_will_do(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://u:p@host/db")
    assert load_settings().effective_database_url == "postgresql+psycopg://u:p@host/db"


@pytest.mark.usefixtures("empty_environment")
@pytest.mark.parametrize(
    ("cors", "live", "may_connect"),
    [
        ("", "", ()),
        ("https://a.example, HTTP://B.example:80,", "", ("https://a.example", "http://b.example")),
        ("https://a.example", "https://b.example", ("https://b.example",)),
        ("https://a.example", "*", "*"),
    ],
)
def test_pages_that_may_read_may_watch_unless_set_otherwise(
    cors: str, live: str, may_connect: tuple[str, ...] | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", cors)
    monkeypatch.setenv("LIVE_ORIGINS", live)
    expected = may_connect if may_connect == "*" else set(map(Origin.parse, may_connect))
    assert load_settings().allowed_live_origins == expected


@pytest.fixture(scope="module")
def doubtful_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server whose settings the tests below spoil."""
    server = RedisServer(tmp_path_factory.mktemp("doubtful"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=_WRONG_ON_REDIS, ids=lambda wrong: "-".join(wrong))
def spoilt(request: pytest.FixtureRequest, doubtful_redis: RedisServer) -> Iterator[str]:
    """The name of the one setting that is wrong on `doubtful_redis`."""
    name, wrong = request.param
    client = doubtful_redis.client()
    right = client.config_get(name)[name]
    client.config_set(name, wrong)
    yield name
    client.config_set(name, right)


def test_a_redis_that_could_lose_a_sale_is_refused(spoilt: str, doubtful_redis: RedisServer, tmp_path: Path) -> None:
    """By every part: they take turns, as each start takes a while."""
    part = _PARTS[[name for name, _ in _WRONG_ON_REDIS].index(spoilt) % len(_PARTS)]
    line = _refusal(part, tmp_path, {"REDIS_URL": doubtful_redis.url})
    assert line.startswith("seating: REDIS_URL: this Redis could lose what it sold; set on it: ")
    (to_set,) = (name for name, _ in _WRONG_ON_REDIS if f" {name} " in line)
    assert to_set == spoilt


@pytest.mark.parametrize("setting", ["PORT", "OPS_BIND"])
def test_a_port_that_is_taken_is_refused(setting: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        value = address if setting == "OPS_BIND" else address.rpartition(":")[2]
        line = _refusal("up", tmp_path, {"PORT": str(free_port())} | {setting: value})
    assert line.startswith(f"seating: {setting}: cannot listen on {address}: ")


@pytest.mark.parametrize("part", _PARTS)
def test_a_redis_that_is_not_there_is_refused(part: str, tmp_path: Path) -> None:
    line = _refusal(part, tmp_path, {"REDIS_URL": f"redis://127.0.0.1:{free_port()}"})
    assert line.startswith("seating: REDIS_URL: Redis does not answer: ")


def test_a_redis_that_never_replies_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, which does not wait as long for a reply."""
    monkeypatch.setattr(plain_client, "_pool", partial(plain_client._pool, reply_within_s=0.5))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {"REDIS_URL": f"redis://127.0.0.1:{silent.getsockname()[1]}"}
        line = _only_line(*command(_environment(tmp_path, settings), "migrate"))
    assert line.startswith("seating: REDIS_URL: Redis does not answer: ")


@pytest.mark.parametrize("url", ["sqlite:////nowhere/x.db", "sqlite:///{folder}/text.db", "postgresql://127.0.0.1:1/x"])
def test_a_database_that_cannot_be_used_is_refused(url: str, doubtful_redis: RedisServer, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("This is no database. " * 100)
    settings = {"REDIS_URL": doubtful_redis.url, "DATABASE_URL": url.format(folder=tmp_path)}
    assert _refusal("migrate", tmp_path, settings).startswith("seating: DATABASE_URL: the database cannot be used: ")


def test_the_launcher_prints_no_password(doubtful_redis: RedisServer, tmp_path: Path) -> None:
    settings = {
        "REDIS_URL": f"{doubtful_redis.url}?client_name={_SECRET}",
        "DATABASE_URL": f"postgresql://user:{_SECRET}@127.0.0.1:1/x?password=p@{_SECRET}",
        "PORT": str(free_port()),
    }
    done = forked.run(["up"], tmp_path, _environment(tmp_path, settings))
    assert "database 127.0.0.1:1/x\n" in done.stdout, done.stderr
    assert _SECRET not in done.stdout + done.stderr


def _refusal(part: str, folder: Path, settings: dict[str, str]) -> str:
    """The line on standard error of a `seating <part>` that does not start."""
    done = forked.run([part], folder, _environment(folder, settings))
    return _only_line(done.returncode, done.stdout, done.stderr)


def _environment(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    return clean_environment() | {"SEATING_DATA_DIR": str(folder / "data")} | settings


def _only_line(status: int, output: str, errors: str) -> str:
    """The line on standard error of what was refused, which says nothing else."""
    assert (status, output) == (2, ""), errors
    line, *more = errors.splitlines()
    assert not more, errors
    return line
