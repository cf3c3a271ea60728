"""Checks of settings, keys and the data folder."""

import os
import stat
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from ipaddress import IPv6Network
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from seating.cli.doctor.findings import Finding, good, judged
from seating.config import Settings
from seating.domain.caller import Role
from seating.setting_formats import IPNetwork
from seating.storage.api_keys import ApiKeys, InvalidKeyFile

_ENV_FILE: Final = Path(".env")
# At 0.8, variables of others, such as PGPORT and OTEL_EXPORTER_OTLP_PROTOCOL, would count as misspelled.
_ALIKE: Final = 0.85
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_SHORTEST: Final = {4: 8, 6: 20}
"""Prefixes, by version of IP. A network with a shorter one is more than a company has."""
_PRIVATE: Final = (IPv6Network("fc00::/7"), IPv6Network("fe80::/10"))
"""Short prefixes that are nobody's on the internet: unique local and link-local addresses."""


def misspelled() -> Iterator[Finding]:
    """Compare the environment and `.env` with the names of settings: others are ignored without a word."""
    known = {name.upper() for name in Settings.model_fields}
    given = {name.upper() for name in (*os.environ, *(dotenv_values(_ENV_FILE) if _ENV_FILE.exists() else ()))}
    for name in sorted(given - known):
        for meant in get_close_matches(name, known - given, 1, _ALIKE):
            yield judged(name, "is not a setting and is ignored", warns=True, change=f"did you mean {meant}?")


def settings(loaded: Settings) -> Iterator[Finding]:
    yield good("settings", f"{len(loaded.model_fields_set)} of {len(Settings.model_fields)} are set, all are valid")
    off = [name.upper() for name in Settings.model_fields if name.startswith("rate_limit_") and _is_off(loaded, name)]
    if off:
        yield judged(", ".join(off), "no rate limit", warns=True, change="set a policy, such as bucket:1000,6000/60s")
    if loaded.seating_development:
        yield judged(
            "SEATING_DEVELOPMENT",
            "open to this machine without a key",
            warns=True,
            change="unset it wherever others can connect",
        )
    if loaded.db_latency_ms:
        yield judged(
            "DB_LATENCY_MS", f"reads of users are {loaded.db_latency_ms} ms slower", warns=True, change="unset it"
        )
    wide = [str(network) for network in loaded.proxy_networks if _is_wide(network)]
    if wide:
        yield judged(
            "TRUSTED_PROXIES",
            f"{', '.join(wide)} lets callers choose their own address",
            fails=True,
            change="list the networks of your own proxies",
        )
    if loaded.web_workers > (os.cpu_count() or 1):
        yield judged(
            "WEB_WORKERS",
            f"{loaded.web_workers} processes on {os.cpu_count()} CPUs",
            warns=True,
            change="set it to the number of CPUs, or lower",
        )


def _is_wide(network: IPNetwork) -> bool:
    """Return whether there are strangers in a network."""
    private = isinstance(network, IPv6Network) and any(map(network.subnet_of, _PRIVATE))
    return network.prefixlen < _SHORTEST[network.version] and not private


def _is_off(loaded: Settings, name: str) -> bool:
    return bool(getattr(loaded, name) == "off")


def keys(loaded: Settings) -> Iterable[Finding]:
    file = loaded.effective_api_keys_file
    try:
        found = ApiKeys(file).all() if file.exists() else []
    except InvalidKeyFile as error:
        yield judged("keys", str(error), fails=True, change="mend this line, or restore the file")
        return
    operators = sum(key.role is Role.OPERATE for key in found) + (loaded.admin_token is not None)
    yield judged(
        "keys",
        f"{len(found)} in {file}; operators have {operators}, ADMIN_TOKEN included",
        # Under `seating up`, which brings its own Redis, this machine needs none.
        fails=not operators and loaded.redis_url is not None,
        warns=not operators,
        change="seating keys add NAME --role operate",
    )
    if file.exists() and file.stat().st_mode & _OTHERS and loaded.api_keys_file is None:
        yield judged("keys", f"others can read {file}", warns=True, change=f"chmod 600 {file}")


def data_folder(loaded: Settings) -> Iterable[Finding]:
    folder = loaded.data_dir
    readable = bool(folder.stat().st_mode & _OTHERS)
    seen = f"others can read {folder}" if readable else str(folder)
    yield judged("data folder", seen, warns=readable, change=f"chmod 700 {folder}")
