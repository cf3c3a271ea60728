"""All settings, from the environment or a `.env` file. docs/settings.md describes each of them."""

import hashlib
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from seating.domain.origin import Origin
from seating.setting_formats import (
    DatabaseUrl,
    EventId,
    HostAndPort,
    HttpUrl,
    IPNetwork,
    Networks,
    Origins,
    OriginsOrAny,
    PostgresUrl,
    RatePolicy,
    RedisUrl,
    Token,
    address,
    networks,
)
from seating.telemetry import logs
from seating.telemetry.error_file import ErrorFile

# A socket's path has at most 108 bytes on Linux and 104 on macOS, including the terminating zero.
_LONGEST_SOCKET_PATH = 100


class InvalidSettings(Exception):
    """A setting is invalid. The message is one line that names it."""


class Settings(BaseSettings):
    """Immutable; each process reads them once, at its entry point."""

    # env_ignore_empty: Compose files pass an unset variable on as an empty one.
    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    port: Annotated[int, Field(ge=1, le=65535)] = 3000
    bind: str = "127.0.0.1"
    ops_bind: HostAndPort | None = None
    web_workers: Annotated[int, Field(ge=1, le=64)] = 2
    web_connections: Annotated[int, Field(ge=16, le=100_000)] = 4096
    http_connections_per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    # Above the 60 s of nginx and most balancers, which must be the first to close an idle connection.
    keepalive_s: Annotated[int, Field(ge=1, le=3_600)] = 75
    drain_s: Annotated[int, Field(ge=0, le=600)] = 5
    seating_data_dir: Path = Path(".data")
    redis_url: RedisUrl | None = None
    redis_maxmemory_mb: Annotated[int, Field(ge=16, le=1_000_000)] = 512
    database_url: DatabaseUrl | None = None
    database_read_url: PostgresUrl | None = None
    database_read_max_lag_s: Annotated[int, Field(ge=1, le=86_400)] = 30
    personal_data_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    event_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    admin_token: Token | None = None
    api_keys_file: Path | None = None
    sell_requires_key: bool = False
    users_access: Literal["open", "key"] | None = None
    seating_development: bool = False
    trusted_proxies: Networks | None = None
    default_event: EventId = "demo"
    backlog_max_entries: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    backlog_memory_percent: Annotated[int, Field(ge=1, le=95)] = 75
    cache_capacity: Annotated[int, Field(ge=1, le=100_000)] = 100
    cache_ttl_s: Annotated[float, Field(ge=0.1, le=86_400)] = 60
    cache_max_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 1 << 20
    db_latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    rate_limit_users: RatePolicy = "5/10s,10/60s"
    # A box office behind one address never notices it, and it bounds the load of one address on Redis.
    rate_limit_sale: RatePolicy = "bucket:20000,600000/60s"
    rate_limit_shops: RatePolicy = "bucket:20000,600000/60s"
    rate_limit_holds: RatePolicy = "bucket:1000,6000/60s"
    rate_limit_wrong_keys: RatePolicy = "bucket:20,10/60s"
    # Our own pages' keys are no shorter than a UUID.
    idempotency_key_min: Annotated[int, Field(ge=1, le=36)] = 16
    event_api_base_url: HttpUrl | None = None
    event_api_connect_timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = 1000
    event_api_read_timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = 3000
    event_api_deadline_ms: Annotated[int, Field(ge=1, le=60_000)] = 5000
    event_api_concurrency: Annotated[int, Field(ge=1, le=1000)] = 64
    circuit_breaker_failure_threshold: Annotated[int, Field(ge=1, le=1000)] = 3
    circuit_breaker_failure_window_ms: Annotated[int, Field(ge=1, le=86_400_000)] = 30_000
    circuit_breaker_reset_timeout_ms: Annotated[int, Field(ge=1, le=86_400_000)] = 10_000
    circuit_breaker_max_reset_timeout_ms: Annotated[int, Field(ge=1, le=86_400_000)] = 60_000
    hold_ttl_s: Annotated[int, Field(ge=1, le=86_400)] = 600
    hold_max_s: Annotated[int, Field(ge=1, le=86_400)] = 1800
    hold_extend_step_s: Annotated[int, Field(ge=1, le=86_400)] = 10
    hold_max_seats: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    hold_max_seats_shops: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    hold_max_seats_buyer: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    cors_origins: Origins = None
    live_origins: OriginsOrAny = None
    live_connections_per_address: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    live_resume_entries: Annotated[int, Field(ge=0, le=100_000)] = 2_000
    log_keep_s: Annotated[int, Field(ge=0, le=31_536_000)] = 86_400
    # Below BACKLOG_MEMORY_PERCENT: entries that SQL has are dropped before purchases are refused.
    log_keep_memory_percent: Annotated[int, Field(ge=0, le=100)] = 50
    live_queue_kb: Annotated[int, Field(ge=1, le=65_536)] = 256
    live_ping_s: Annotated[int, Field(ge=1, le=3_600)] = 25
    webhook_allow_private: bool = False
    webhook_timeout_s: Annotated[int, Field(ge=1, le=60)] = 10
    webhook_retry_s: Annotated[int, Field(ge=1, le=2_592_000)] = 259_200
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: logs.Format = "json"
    log_addresses: Literal["full", "network", "none"] = "network"
    log_dir: Path | None = None
    log_file_mb: Annotated[int, Field(ge=1, le=1_000)] = 10
    log_files: Annotated[int, Field(ge=1, le=100)] = 5
    otel_exporter_otlp_endpoint: HttpUrl | None = None
    trace_share: Annotated[float, Field(ge=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _breaker_waits(self) -> Self:
        if self.circuit_breaker_max_reset_timeout_ms < self.circuit_breaker_reset_timeout_ms:
            raise ValueError("CIRCUIT_BREAKER_MAX_RESET_TIMEOUT_MS must not be below CIRCUIT_BREAKER_RESET_TIMEOUT_MS")
        return self

    @model_validator(mode="after")
    def _ops_port_of_its_own(self) -> Self:
        if self.ops_address and self.ops_address[1] == self.port:
            raise ValueError(f"OPS_BIND must have another port than PORT, which is {self.port}")
        return self

    @model_validator(mode="after")
    def _replica_of_postgres(self) -> Self:
        if self.database_read_url and not self.effective_database_url.startswith("postgresql"):
            raise ValueError("DATABASE_READ_URL needs a DATABASE_URL of Postgres, of which it is a replica")
        return self

    @model_validator(mode="after")
    def _held_within_the_longest_time(self) -> Self:
        if self.hold_max_s < self.hold_ttl_s:
            raise ValueError(f"HOLD_MAX_S must be at least HOLD_TTL_S, which is {self.hold_ttl_s}")
        if self.hold_extend_step_s > self.hold_ttl_s:
            raise ValueError(f"HOLD_EXTEND_STEP_S must be at most HOLD_TTL_S, which is {self.hold_ttl_s}")
        return self

    @cached_property
    def proxy_networks(self) -> tuple[IPNetwork, ...]:
        """The networks whose forwarding headers are trusted."""
        return networks(self.trusted_proxies or "")

    @property
    def ops_address(self) -> tuple[str, int] | None:
        """Host and port of OPS_BIND; None if it is not set."""
        return address(self.ops_bind) if self.ops_bind else None

    @property
    def effective_api_keys_file(self) -> Path:
        """API_KEYS_FILE, or the one in the data folder."""
        return (self.api_keys_file or self.data_dir / "api-keys").absolute()

    @property
    def users_need_key(self) -> bool:
        """USERS_ACCESS; if it is not set, users are open only in development."""
        return self.users_access == "key" or (self.users_access is None and not self.seating_development)

    @property
    def allowed_live_origins(self) -> frozenset[Origin] | Literal["*"]:
        """The origins whose pages may open live feeds, in addition to our own."""
        return self.live_origins or self.cors_origins or frozenset()

    @property
    def effective_redis_url(self) -> str:
        """REDIS_URL, or where the launcher puts the embedded server of this data folder."""
        return self.redis_url or f"unix://{self.redis_socket}"

    @property
    def logging(self) -> logs.Options:
        """How each process logs. The folder of LOG_DIR must exist."""
        errors = ErrorFile(self.log_dir.absolute(), self.log_file_mb << 20, self.log_files) if self.log_dir else None
        return logs.Options(self.log_level, self.log_format, errors)

    @property
    def redis_socket(self) -> Path:
        """The embedded server's socket: in the data folder or, if that path is too long, in a private folder."""
        inside = self.data_dir / "redis.sock"
        if len(str(inside)) <= _LONGEST_SOCKET_PATH:
            return inside
        # Every process must come to this name by itself, and no two data folders to the same one.
        name = hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"seating-{name}" / "redis.sock"

    @property
    def effective_database_url(self) -> str:
        """DATABASE_URL, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'seating.db'}"

    @property
    def data_dir(self) -> Path:
        return self.seating_data_dir.absolute()


def load_settings() -> Settings:
    """Load the settings. Raises InvalidSettings with one line that names the setting and the fault."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else ""
        reason = first["msg"].removeprefix("Value error, ")
        # A URL may contain a password, that of an endpoint too.
        shown = "" if name.endswith(("_URL", "_ENDPOINT", "_TOKEN")) else f" (it is {first['input']!r})"
        raise InvalidSettings(f"{name}: {reason}{shown}" if name else reason) from None
    # Not the errors themselves: one may quote the file.
    except UnicodeError:
        raise InvalidSettings(".env: must be UTF-8") from None
    except OSError as error:
        raise InvalidSettings(f".env: cannot be read: {error.strerror}") from None
