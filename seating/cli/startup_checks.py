"""Checks that commands run before they start."""

import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import redis
import structlog

from seating.config import InvalidSettings, Settings, load_settings
from seating.domain.caller import Role
from seating.domain.errors import RecordUnavailable, WrongTables
from seating.redis_store import durability
from seating.redis_store.plain_client import clients_of_primaries
from seating.redis_store.server_address import fails_over
from seating.storage.api_keys import ApiKeys
from seating.telemetry import logs, tracing

if TYPE_CHECKING:
    from seating.runtime import BackgroundServices

_LOOK_EVERY_S = 0.2
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_log = structlog.get_logger(__name__)


def settings() -> Settings:
    """Load the settings and create the folders. Raises InvalidSettings."""
    loaded = load_settings()
    _create_folder("SEATING_DATA_DIR", loaded.data_dir)
    if loaded.log_dir:
        _create_folder("LOG_DIR", loaded.log_dir.absolute())
    if loaded.otel_exporter_otlp_endpoint and not tracing.is_installed():
        raise InvalidSettings("OTEL_EXPORTER_OTLP_ENDPOINT: traces need more packages: pip install 'seating[tracing]'")
    logs.configure(loaded.logging)
    return loaded


def _create_folder(setting: str, folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSettings(f"{setting}: cannot create {folder}: {error.strerror}") from error


def warn_of_readers(loaded: Settings) -> None:
    """Warn about an existing data folder that other users of the machine can read."""
    if loaded.data_dir.stat().st_mode & _OTHERS:
        _log.warning("data folder readable by others", folder=str(loaded.data_dir), remedy="chmod 700")


def refuse_without_key(loaded: Settings) -> None:
    """Raises InvalidSettings if no operator could authenticate, or InvalidKeyFile."""
    if loaded.admin_token is not None or loaded.seating_development:
        return
    # Not all(): one bad line must not stop the start, for the other keys work.
    keys = ApiKeys(loaded.effective_api_keys_file).readable()
    if not any(key.role is Role.OPERATE for key in keys):
        raise InvalidSettings(
            "ADMIN_TOKEN: no operator has a key; set it, or create one with `seating keys add NAME --role operate`"
        )


def settings_with_redis() -> Settings:
    """Load the settings and verify that Redis is durable. Raises InvalidSettings or RedisError."""
    loaded = settings()
    _check_redis(loaded)
    return loaded


def settings_of_part() -> Settings:
    """Load the settings of a part that starts alone. Raises InvalidSettings, InvalidKeyFile or RedisError."""
    loaded = settings_with_redis()
    refuse_without_key(loaded)
    return loaded


def check_tables(loaded: Settings, *, allow_newer: bool = False) -> None:
    """Check the version of the database's tables, if the database answers. Raises WrongTables."""
    from seating.storage import schema_version  # Commands on keys need no database.
    from seating.storage.database import Database

    database = Database(loaded.effective_database_url)
    try:
        database.read(schema_version.check, allow_newer=allow_newer)
    except WrongTables:
        # It is a RecordUnavailable too, but no waiting mends it.
        raise
    except RecordUnavailable as error:
        # Seats are sold while SQL is down, so parts start without it too.
        _log.warning("database unavailable", error=str(error.__cause__))
    finally:
        database.close()


def _check_redis(loaded: Settings) -> None:
    """Raises InvalidSettings, or RedisError. A cluster may start without some of its primaries."""
    url = loaded.effective_redis_url
    failures: list[redis.RedisError] = []
    clients = clients_of_primaries(url)
    for client in clients:
        try:
            while _loads(client):
                time.sleep(_LOOK_EVERY_S)
            durability.check(client, fails_over=fails_over(url))
        except redis.RedisError as error:
            failures.append(error)
    if len(failures) == len(clients):
        raise failures[0]


def operator_settings() -> Settings:
    """Load the settings and log to stderr: standard output is for the result, which a program may read.

    With LOG_LEVEL `info`, only warnings and errors: the command itself says what it did.
    """
    loaded = settings()
    level = "warning" if loaded.log_level == "info" else loaded.log_level
    logs.configure(loaded.logging._replace(level=level), sys.stderr)
    return loaded


def operator_services() -> "BackgroundServices":
    """Return the services for a command that queries or changes the stores."""
    from seating.runtime import BackgroundServices  # Parts that start alone do not need it.
    from seating.storage import schema_version

    loaded = operator_settings()
    _check_redis(loaded)
    services = BackgroundServices(loaded, patient=True)
    services.persistence.database.read(schema_version.check)
    return services


def _loads(client: "redis.Redis") -> bool:
    """Return whether Redis is still loading its file, however long that takes."""
    try:
        client.ping()
    except redis.BusyLoadingError:
        return True
    return False
