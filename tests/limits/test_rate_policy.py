"""Policies as settings say them."""

import pytest

from seating.config import InvalidSettings, load_settings
from seating.domain import rate_policy


@pytest.mark.parametrize(
    ("text", "arguments", "quotas"),
    [
        ("5/10s,10/60s", ("window", 5, 10_000, 10, 60_000), ["5 in 10 s", "10 in 60 s"]),
        ("1/1m", ("window", 1, 60_000), ["1 in 60 s"]),
        ("100/1h", ("window", 100, 3_600_000), ["100 in 3600 s"]),
        ("bucket:5,10/60s", ("bucket", 5, 10, 60_000), ["5 in 30 s"]),
        ("bucket:20000, 600000/60s", ("bucket", 20_000, 600_000, 60_000), ["20000 in 2 s"]),
    ],
)
def test_is_understood(text: str, arguments: tuple[object, ...], quotas: list[str]) -> None:
    policy = rate_policy.parse(text)
    assert policy
    assert policy.arguments == arguments
    assert [str(quota) for quota in policy.quotas] == quotas


def test_off_is_no_policy() -> None:
    assert rate_policy.parse("off") is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "5", "5/10", "0/10s", "5/0s", "-5/10s", "5/10s,", "5/10d", "5/10s;10/60s", "\u0665/10s", "99999/10s"),
        *("bucket:5", "bucket:0,1/1s", "bucket:5,1/1s,2/2s", "bucket:x,1/1s", "Off", "1/1s,1/2s,1/3s,1/4s,1/5s"),
    ],
)
def test_is_refused_by_one_line_that_names_the_setting(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(ValueError, match="must be windows such as"):
        rate_policy.parse(text)
    if text:
        monkeypatch.setenv("RATE_LIMIT_SALE", text)
        with pytest.raises(InvalidSettings, match=r"^RATE_LIMIT_SALE: must be windows such as 5/10s,10/60s .*\Z"):
            load_settings()
