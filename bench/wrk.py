"""Load from wrk, in one thread of one process: the other core is for whoever answers."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_SCRIPT = Path(__file__).with_name("requests.lua")
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Load(NamedTuple):
    """`requests` were all answered 200."""

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float


def run(
    port: int,
    connections: int,
    seconds: int,
    paths: Sequence[str],
    body: str = "",
    *,
    keys: bool = False,
    prefer: str = "",
    closes: bool = False,
) -> Load:
    """Ask for `paths` in turn: by POST if there is a body, each with an Idempotency-Key of its own if `keys`.

    Each request is on a new connection if it `closes` the last one.
    """
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: apt install wrk")
    url = f"http://127.0.0.1:{port}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", str(_SCRIPT)]
    words = [*command, url, "--", body, "keys" if keys else "no-keys", prefer, "close" if closes else "keep", *paths]
    report = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in report or "Socket errors" in report:
        raise RuntimeError(f"not only 200s from {paths[0]}:\n{report}")
    return Load(
        requests=int(_found(r"(\d+) requests in", report)),
        per_s=float(_found(r"Requests/sec:\s+([\d.]+)", report)),
        p50_ms=_ms(_found(r"\n\s+50%\s+(\S+)", report)),
        p99_ms=_ms(_found(r"\n\s+99%\s+(\S+)", report)),
    )


def _found(pattern: str, report: str) -> str:
    found = re.search(pattern, report)
    assert found, report
    return found[1]


def _ms(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS_MS[unit]
