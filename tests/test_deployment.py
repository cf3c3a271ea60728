"""The container files, as far as they can be checked without an engine that runs containers."""

import fnmatch
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import redis
import yaml

from seating.cli.main import seating
from seating.config import Settings, load_settings
from seating.launcher import redis_server
from seating.redis_store import durability
from tests.servers import RedisServer, wait_until
from tests.system import PROJECT, System, clean_environment, free_port

_COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
_SERVICES: dict[str, Any] = _COMPOSE["services"]
_OURS = [name for name, service in _SERVICES.items() if "build" in service]
_DOCKERFILE = (PROJECT / "Dockerfile").read_text()
_INTERPOLATED = re.compile(r"\$\{([A-Z_]+)(:[-?])([^}]*)\}")


def _copied() -> list[str]:
    """What the image is built from, relative to the project folder."""
    lines = [line.split()[1:-1] for line in _DOCKERFILE.splitlines() if line.startswith("COPY ")]
    return [source for sources in lines for source in sources if not source.startswith("--from") and source != "/app"]


def _filled(text: str) -> str:
    given = {"ADMIN_TOKEN": "token" * 8, "POSTGRES_PASSWORD": "password", "REDIS_PASSWORD": "secret"}
    return _INTERPOLATED.sub(lambda match: given.get(match[1], match[3] if match[2] == ":-" else ""), text)


def _environment_of(service: str) -> dict[str, str]:
    """As a container would get it, secrets filled in."""
    return {name: _filled(value) for name, value in _SERVICES[service]["environment"].items()}


def test_there_is_a_service_for_each_part() -> None:
    assert set(_SERVICES) == {"web", "worker", "cron", "sender", "migrate", "redis", "postgres"}
    assert set(_OURS) == {"web", "worker", "cron", "sender", "migrate"}


@pytest.mark.parametrize("service", _OURS)
def test_commands_are_real(service: str) -> None:
    assert 'ENTRYPOINT ["seating"]' in _DOCKERFILE
    (command,) = _SERVICES[service]["command"]
    assert command in seating.list_commands(click.Context(seating))


@pytest.mark.parametrize("service", _OURS)
def test_environments_are_settings_that_work(service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = _environment_of(service)
    assert set(environment) <= {name.upper() for name in Settings.model_fields}
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.redis_url == "redis://:secret@redis:6379/0"
    assert settings.effective_database_url == "postgresql+psycopg://seating:password@postgres:5432/seating"


def test_the_image_only_presets_settings() -> None:
    (assignments,) = (line.split()[1:] for line in _DOCKERFILE.splitlines() if line.startswith("ENV PATH="))
    names = {assignment.partition("=")[0] for assignment in assignments}
    interpreter = {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    assert names - interpreter <= {name.upper() for name in Settings.model_fields}


def test_web_is_published_to_this_machine_alone_and_all_parts_demand_a_token() -> None:
    assert _SERVICES["web"]["ports"] == ["127.0.0.1:${PORT:-3000}:3000"]
    environment = _environment_of("web")
    assert (environment["BIND"], environment["PORT"]) == ("0.0.0.0", "3000")
    tokens = {_SERVICES[name]["environment"]["ADMIN_TOKEN"] for name in ("web", "worker", "cron")}
    assert tokens == {"${ADMIN_TOKEN:?set ADMIN_TOKEN}"}
    assert [name for name, service in _SERVICES.items() if "ports" in service] == ["web"]


def test_the_readme_names_every_variable_to_be_set() -> None:
    readme = (PROJECT / "README.md").read_text()
    wanted = {match[1] for match in _INTERPOLATED.finditer((PROJECT / "docker-compose.yml").read_text())}
    assert {name for name in wanted if name not in readme} == set()


def test_services_wait_for_what_exists_and_can_tell_that_it_is_ready() -> None:
    for service in _SERVICES.values():
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "test" in _SERVICES[other]["healthcheck"]
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert _SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("service", _SERVICES)
def test_a_container_can_do_no_more_than_it_must(service: str) -> None:
    found = _SERVICES[service]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert "cap_add" not in found
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["pids_limit"] <= 256
    assert "mem_limit" in found
    assert found["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    as_root = found.get("user") in ("root", "0") or (service not in _OURS and "user" not in found)
    assert not as_root
    assert any(mount.startswith("/tmp:") for mount in found["tmpfs"])


def test_the_image_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (.+)$", _DOCKERFILE, re.MULTILINE)[-1] == "10001:10001"


def test_the_stores_are_reached_from_inside_alone() -> None:
    assert _COMPOSE["networks"]["stores"] == {"internal": True}
    assert {name for name, service in _SERVICES.items() if service["networks"] == ["stores"]} == {"redis", "postgres"}


def test_a_data_folder_is_writable_where_the_rest_is_not() -> None:
    for name in _OURS:
        service = _SERVICES[name]
        assert any(mount.partition(":")[2] == "/data" for mount in service.get("volumes", ())) or any(
            mount.startswith("/data:") and "uid=10001" in mount for mount in service["tmpfs"]
        )


def test_images_have_a_version() -> None:
    images = [service["image"] for name, service in _SERVICES.items() if name not in _OURS]
    images += re.findall(r"^ARG PYTHON=(.+)$", _DOCKERFILE, re.MULTILINE)
    assert all(re.search(r":\d+", image) for image in images)


def test_what_is_kept_is_on_volumes() -> None:
    kept = {name: service["volumes"] for name, service in _SERVICES.items() if "volumes" in service}
    assert kept == {
        "redis": ["redis:/data"],
        "postgres": ["postgres:/var/lib/postgresql"],
        "web": ["keys:/data"],
        "migrate": ["keys:/data"],
    }
    assert set(_COMPOSE["volumes"]) == {"keys", "redis", "postgres"}


def test_web_and_worker_are_given_time_to_finish() -> None:
    for name in ("web", "worker"):
        assert int(_SERVICES[name]["stop_grace_period"].removesuffix("s")) > 30


@pytest.fixture
def composed_redis(tmp_path: Path) -> Iterator["redis.Redis"]:
    """A server with the options of the compose file, on a port of the test's."""
    program, *options = map(_filled, _SERVICES["redis"]["command"])
    assert program == "redis-server"
    port = free_port()
    own = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    server = subprocess.Popen([redis_server.find(tmp_path).program, *own, *options], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port, protocol=2, password=_environment_of("redis")["REDISCLI_AUTH"])
    try:
        wait_until(client.ping, what="Redis to answer")
        yield client
    finally:
        server.terminate()
        server.wait(timeout=20)


def test_redis_has_the_settings_of_a_sale(composed_redis: "redis.Redis") -> None:
    durability.check(composed_redis)
    assert composed_redis.config_get("save") == {"save": ""}
    stranger = redis.Redis(port=composed_redis.connection_pool.connection_kwargs["port"], protocol=2)
    with pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_the_health_check_of_web_is_that_seats_can_be_sold(system: System) -> None:
    assert _environment_of("web")["OPS_BIND"] == "127.0.0.1:3001"
    assert is_healthy(system.port)
    assert not is_healthy(free_port())


def is_healthy(port: int) -> bool:
    """What the health check of web says of the process on `port`."""
    kind, program, option, script = _SERVICES["web"]["healthcheck"]["test"]
    assert (kind, program, option) == ("CMD", "python", "-c")
    assert ":3001/" in script
    command = [sys.executable, "-c", script.replace(":3001/", f":{port}/")]
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A folder with what is copied into the image, and its bytecode."""
    folder = tmp_path / "app"
    folder.mkdir()
    for name in _copied():
        source = PROJECT / name
        if source.is_dir():
            # With the bytecode, but without what another process is writing of it.
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("*.pyc.*"))
        else:
            shutil.copy(source, folder / name)
    return folder


def test_the_build_context_has_what_is_copied() -> None:
    lines = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    included = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert sorted(included) == sorted(_copied())
    excluded = [line for line in lines[1:] if not line.startswith("!")]
    assert not [name for name in _copied() for pattern in excluded if fnmatch.fnmatch(name, pattern)]


def test_what_is_copied_is_enough_to_migrate_and_to_serve(image: Path, own_redis: RedisServer) -> None:
    port, ops_port = free_port(), free_port()
    environment = clean_environment() | {
        "PYTHONPATH": str(image),
        "PORT": str(port),
        "SEATING_DATA_DIR": str(image.parent / "data"),
        "REDIS_URL": own_redis.url,
        "ADMIN_TOKEN": "token" * 8,
        "OPS_BIND": f"127.0.0.1:{ops_port}",
        "WEB_WORKERS": "1",
    }
    found = subprocess.check_output(
        [sys.executable, "-c", "import seating, workers; print(seating.__file__, workers.__file__)"],
        cwd=image,
        env=environment,
        text=True,
    )
    assert found.split() == [str(image / "seating" / "__init__.py"), str(image / "workers" / "__init__.py")]
    subprocess.run([sys.executable, "-m", "seating", "migrate"], cwd=image, env=environment, check=True, timeout=60)
    assert own_redis.client().keys("inventory:*") == [], "an event is opened by those who want one"
    create = [sys.executable, "-m", "seating", "events", "create", "Concert", "--seats", "10"]
    created = subprocess.check_output(create, cwd=image, env=environment, text=True, timeout=60)
    environment["DEFAULT_EVENT"] = created.strip()
    web = subprocess.Popen(
        [sys.executable, "-m", "seating", "web"], cwd=image, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: is_healthy(ops_port), within_s=30, what="the copy to sell seats")
    finally:
        web.terminate()
        web.wait(timeout=40)
