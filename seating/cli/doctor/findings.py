"""What a check found, and running checks with a deadline."""

import threading
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

CHECK_WITHIN_S: Final = 10.0


class Level(StrEnum):
    """`FAIL`: seats cannot be sold, or what was sold may be lost."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """`subject` is what was looked at, `seen` what it is like, `change` what to do about it, "" if nothing."""

    subject: str
    level: Level
    seen: str
    change: str = ""


Check = Callable[[], Iterable[Finding]]


def good(subject: str, seen: str) -> Finding:
    return Finding(subject, Level.OK, seen)


def judged(subject: str, seen: str, *, fails: bool = False, warns: bool = False, change: str) -> Finding:
    """Return a finding that fails, warns or, by default, is good and needs no change."""
    level = Level.FAIL if fails else Level.WARN if warns else Level.OK
    return Finding(subject, level, seen, "" if level is Level.OK else change)


def run(name: str, check: Check, within_s: float = CHECK_WITHIN_S) -> Iterator[Finding]:
    """Yield the findings of one check: a failure if it raises, or takes longer than `within_s` seconds."""
    findings: list[Finding] = []

    def collect() -> None:
        try:
            findings.extend(check())
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the finding
            reason = str(error.__cause__ or error).strip().partition("\n")[0]
            findings.append(Finding(name, Level.FAIL, reason or type(error).__name__, "see docs/settings.md"))

    # A daemon: a store that hangs must not keep the command from ending.
    checking = threading.Thread(target=collect, daemon=True)
    checking.start()
    checking.join(within_s)
    if checking.is_alive():
        yield Finding(name, Level.FAIL, f"no answer within {within_s:g} s", "see whether it is running and reachable")
    else:
        yield from findings
