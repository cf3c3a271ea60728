"""What makes a yes durable: the settings of Redis without which no seat is sold."""

import redis

from seating.config import InvalidSettings

_REQUIRED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


def check(client: "redis.Redis") -> None:
    """Raises InvalidSettings with one line that says what to set on the server, or redis.ConnectionError."""
    try:
        found = {name: client.config_get(name).get(name) for name in (*_REQUIRED, "maxmemory")}
    except redis.ResponseError as error:
        raise InvalidSettings(f"REDIS_URL: the server does not show its settings (CONFIG GET: {error})") from error
    wrong = {name: value for name, value in _REQUIRED.items() if found[name] != value}
    if found["maxmemory"] == "0":
        wrong["maxmemory"] = "<bytes, not 0>"
    if wrong:
        wanted = " ".join(f"{name} {value}" for name, value in wrong.items())
        raise InvalidSettings(f"REDIS_URL: this Redis could lose what it sold; set on it: {wanted}")


def launch_options(maxmemory_mb: int) -> list[str]:
    """The same settings, as options of a redis-server that we start ourselves."""
    required = [word for name, value in _REQUIRED.items() for word in (f"--{name}", value)]
    return [*required, "--maxmemory", f"{maxmemory_mb}mb", "--save", ""]
