"""A script that raises is in the log: once a minute for each kind, however many meet it."""

import pytest
from redis.exceptions import NoScriptError, OutOfMemoryError, ResponseError
from structlog.testing import capture_logs

from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import ScriptFailures, Scripts
from seating.redis_store.connection import DirectCalls, ScriptConnection

SCRIPT = Scripts({"limit_take": "return redis.call('LPUSH', KEYS[1], 'x')"})


@pytest.mark.parametrize("kind", [AutoPipeline, DirectCalls])
def test_its_name_and_what_redis_says_are_logged_once(redis_url: str, kind: type[AutoPipeline | DirectCalls]) -> None:
    calls = kind(ScriptConnection(redis_url, SCRIPT))
    calls.command("SET", "text", "x")
    with capture_logs() as said:
        for _ in range(3):
            with pytest.raises(ResponseError):
                calls.script("limit_take", ["text"], [])
    calls.close()
    (line,) = said
    assert (line["log_level"], line["event"], line["script"]) == ("error", "script failed", "limit_take")
    assert "wrong kind of value" in line["error"]


def test_each_kind_again_after_a_minute() -> None:
    clock_s = iter([0.0] * 3 + [59.9] * 3 + [60.0] * 3 + [119.9] * 3)
    failures = ScriptFailures(lambda: next(clock_s))
    with capture_logs() as said:
        for _ in range(4):
            failures.note("one", ResponseError("wrong"))
            failures.note("other", ResponseError("wrong"))
            failures.note("one", NoScriptError("gone"))
    assert len(said) == 3 * 2


def test_a_full_redis_is_no_failure_of_a_script() -> None:
    with capture_logs() as said:
        ScriptFailures().note("purchase", OutOfMemoryError("used memory > maxmemory"))
    assert said == []
