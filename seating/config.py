"""All settings, from the environment or a `.env` file. docs/settings.md describes each of them."""

import hashlib
import re
import tempfile
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from seating.domain import rate_policy
from seating.domain.event import is_event_id
from seating.domain.origin import Origin

IPNetwork = IPv4Network | IPv6Network

_ADDRESS = re.compile(r"(?:\[(?P<ip6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:,/@?#\[\]]+)):(?P<port>\d{1,5})")
"""`host:port`, an IPv6 address in brackets."""

_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:,/@?#\[\]]+)(?::\d{1,5})?"
SENTINEL_URL = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://(?P<user>[^\s/@?#]*@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)/(?P<service>[^\s/?#]+)(?:/(?P<database>\d+))?(?P<options>\?[^\s#]*)?"
)
"""`redis+sentinel://user:password@host:port,host:port/service/database?options`; `rediss+sentinel` over TLS."""

_TOKEN = re.compile(r"[\x21-\x7e]{32,}")

# A socket's path has 108 characters on Linux and 104 on macOS, the closing zero included.
_LONGEST_SOCKET_PATH = 100


class InvalidSettings(Exception):
    """A setting that cannot work. The message is one line that names it."""


def _origins(text: str | None) -> frozenset[Origin] | None:
    """Read origins that are separated by commas; None if there is none. Raises ValueError."""
    try:
        return frozenset(map(Origin.parse, _words(text or ""))) or None
    except ValueError:
        raise ValueError("must be origins such as https://shop.example, separated by commas") from None


def _origins_or_any(text: str | None) -> frozenset[Origin] | Literal["*"] | None:
    return "*" if text is not None and text.strip() == "*" else _origins(text)


class Settings(BaseSettings):
    """Frozen, and read once by each process's entry point."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    port: Annotated[int, Field(ge=1, le=65535)] = 3000
    bind: str = "127.0.0.1"
    ops_bind: str | None = None
    web_workers: Annotated[int, Field(ge=1, le=64)] = 2
    web_connections: Annotated[int, Field(ge=16, le=100_000)] = 4096
    http_connections_per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    seating_data_dir: Path = Path(".data")
    redis_url: str | None = None
    redis_maxmemory_mb: Annotated[int, Field(ge=16, le=1_000_000)] = 512
    database_url: str | None = None
    admin_token: SecretStr | None = None
    api_keys_file: Path | None = None
    sell_requires_key: bool = False
    users_access: Literal["open", "key"] | None = None
    seating_development: bool = False
    trusted_proxies: str | None = None
    default_event: str = "demo"
    backlog_max_entries: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    backlog_memory_percent: Annotated[int, Field(ge=1, le=95)] = 75
    cache_capacity: Annotated[int, Field(ge=1, le=100_000)] = 100
    cache_ttl_s: Annotated[float, Field(ge=0.1, le=86_400)] = 60
    cache_max_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 1 << 20
    db_latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    rate_limit_users: str = "5/10s,10/60s"
    rate_limit_sale: str = "bucket:20000,600000/60s"
    rate_limit_shops: str = "bucket:20000,600000/60s"
    rate_limit_holds: str = "bucket:1000,6000/60s"
    rate_limit_wrong_keys: str = "bucket:20,10/60s"
    idempotency_key_min: Annotated[int, Field(ge=1, le=255)] = 16
    event_api_base_url: str | None = None
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
    cors_origins: Annotated[frozenset[Origin] | None, NoDecode, PlainValidator(_origins)] = None
    live_origins: Annotated[frozenset[Origin] | Literal["*"] | None, NoDecode, PlainValidator(_origins_or_any)] = None
    live_connections_per_address: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    live_resume_entries: Annotated[int, Field(ge=0, le=100_000)] = 2_000
    log_keep_s: Annotated[int, Field(ge=0, le=31_536_000)] = 86_400
    log_keep_memory_percent: Annotated[int, Field(ge=0, le=100)] = 50
    live_queue_kb: Annotated[int, Field(ge=1, le=65_536)] = 256
    live_ping_s: Annotated[int, Field(ge=1, le=3_600)] = 25
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, url: str | None) -> str | None:
        if url is not None and url.partition("://")[0] in ("redis+sentinel", "rediss+sentinel"):
            if SENTINEL_URL.fullmatch(url) is None:
                raise ValueError("must be of the form redis+sentinel://user:password@host:port,host:port/service")
            return url
        if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must start with redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://")
        return _with_port_as_number(url)

    @field_validator("database_url")
    @classmethod
    def _database_scheme(cls, url: str | None) -> str | None:
        """Postgres is reached through psycopg 3, whichever of its usual names the URL uses."""
        if url is None or url.startswith("sqlite:///"):
            return url
        for scheme in ("postgresql+psycopg://", "postgresql://", "postgres://"):
            if url.startswith(scheme):
                return _with_port_as_number("postgresql+psycopg://" + url.removeprefix(scheme))
        raise ValueError("must start with sqlite:/// or postgresql://")

    @field_validator(
        "rate_limit_users", "rate_limit_sale", "rate_limit_shops", "rate_limit_holds", "rate_limit_wrong_keys"
    )
    @classmethod
    def _rate_policy(cls, policy: str) -> str:
        rate_policy.parse(policy)
        return policy

    @field_validator("admin_token")
    @classmethod
    def _long_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and _TOKEN.fullmatch(token.get_secret_value()) is None:
            raise ValueError("must have at least 32 visible ASCII characters, such as `openssl rand -hex 32` prints")
        return token

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, text: str | None) -> str | None:
        for network in _words(text or ""):
            try:
                ip_network(network)
            except ValueError:
                raise ValueError(
                    f"must be networks such as 127.0.0.1/32,10.0.0.0/8, no longer a number; {network[:64]!r} is none"
                ) from None
        return text

    @field_validator("default_event")
    @classmethod
    def _event_form(cls, event_id: str) -> str:
        if not is_event_id(event_id):
            raise ValueError("must be 1 to 64 lower-case letters, digits and hyphens")
        return event_id

    @field_validator("ops_bind")
    @classmethod
    def _ops_address_form(cls, address: str | None) -> str | None:
        if address is not None and _address(address) is None:
            raise ValueError("must be of the form host:port or [host]:port, with a port from 1 to 65535")
        return address

    @field_validator("event_api_base_url")
    @classmethod
    def _partner_address(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://unset")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must start with http:// or https://, followed by a host")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("must be an address alone, without user, query or fragment")
        return url

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
    def _held_within_the_longest_time(self) -> Self:
        if self.hold_max_s < self.hold_ttl_s:
            raise ValueError(f"HOLD_MAX_S must be at least HOLD_TTL_S, which is {self.hold_ttl_s}")
        if self.hold_extend_step_s > self.hold_ttl_s:
            raise ValueError(f"HOLD_EXTEND_STEP_S must be at most HOLD_TTL_S, which is {self.hold_ttl_s}")
        return self

    @cached_property
    def proxy_networks(self) -> tuple[IPNetwork, ...]:
        """From where forwarding headers are believed."""
        return tuple(ip_network(network) for network in _words(self.trusted_proxies or ""))

    @property
    def ops_address(self) -> tuple[str, int] | None:
        """Host and port of OPS_BIND; None if it is not set."""
        return _address(self.ops_bind) if self.ops_bind else None

    @property
    def effective_api_keys_file(self) -> Path:
        """API_KEYS_FILE, or the one in the data folder."""
        return (self.api_keys_file or self.data_dir / "api-keys").absolute()

    @property
    def users_need_key(self) -> bool:
        """USERS_ACCESS; unless it is set, users are open to anybody in development alone."""
        return self.users_access == "key" or (self.users_access is None and not self.seating_development)

    @property
    def allowed_live_origins(self) -> frozenset[Origin] | Literal["*"]:
        """Whose pages may open live feeds, in addition to our own."""
        return self.live_origins or self.cors_origins or frozenset()

    @property
    def effective_redis_url(self) -> str:
        """REDIS_URL, or where the launcher puts the embedded server of this data folder."""
        return self.redis_url or f"unix://{self.redis_socket}"

    @property
    def redis_socket(self) -> Path:
        """Of the embedded server: in the data folder or, where its path is too long for a socket, in a private one."""
        inside = self.data_dir / "redis.sock"
        if len(str(inside)) <= _LONGEST_SOCKET_PATH:
            return inside
        name = hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"seating-{name}" / "redis.sock"

    @property
    def effective_database_url(self) -> str:
        """DATABASE_URL, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'seating.db'}"

    @property
    def data_dir(self) -> Path:
        return self.seating_data_dir.absolute()


def _address(text: str) -> tuple[str, int] | None:
    found = _ADDRESS.fullmatch(text)
    if found is None or not 1 <= int(found["port"]) <= 65535:
        return None
    return found["ip6"] or found["host"], int(found["port"])


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _with_port_as_number(url: str | None) -> str | None:
    try:
        if url is not None:
            urlsplit(url).port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise ValueError("its port must be a number from 0 to 65535") from None
    return url


def load_settings() -> Settings:
    """Raises InvalidSettings, whose one line names the setting and what is wrong with it."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else ""
        reason = first["msg"].removeprefix("Value error, ")
        # An address may hold a password.
        shown = "" if name.endswith(("_URL", "_TOKEN")) else f" (it is {first['input']!r})"
        raise InvalidSettings(f"{name}: {reason}{shown}" if name else reason) from None
