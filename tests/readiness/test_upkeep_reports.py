"""What the cron leaves behind for the web processes."""

import json

import pytest
import redis

from seating.domain.errors import SharedStateUnavailable
from seating.domain.log_format import LOG_FORMAT
from seating.redis_store import keys
from seating.redis_store.process_reports import REPORT_KEPT_MS, UpkeepReport, UpkeepReports
from seating.web.readiness_checks import checks
from tests.one_process import OPERATOR, OneProcess
from tests.persistence.test_archive import upkeep
from tests.readiness.conftest import Watch
from tests.servers import RedisServer, wait_until

REPORT = UpkeepReport(open=3, trusted=2, stopped=0, lag=7, quarantined=1)


@pytest.fixture
def reports(one: OneProcess) -> UpkeepReports:
    return UpkeepReports(one.calls)


def test_one_is_left_for_a_while(one: OneProcess, reports: UpkeepReports) -> None:
    assert reports.last() is None
    reports.leave(REPORT)
    seen = reports.last()
    assert seen is not None
    assert seen.report == REPORT
    assert 0 <= seen.age_s < 5
    one.calls.command("PEXPIRE", keys.UPKEEP, REPORT_KEPT_MS // 2)
    older = reports.last()
    assert older is not None
    assert older.age_s == pytest.approx(REPORT_KEPT_MS / 2000, abs=1)
    one.calls.command("PEXPIRE", keys.UPKEEP, 0)
    assert reports.last() is None


def test_also_where_redis_is_full(one: OneProcess, reports: UpkeepReports, own_redis: RedisServer) -> None:
    client = own_redis.client()
    client.config_set("maxmemory", client.info("memory")["used_memory"] // 2)
    with pytest.raises(redis.OutOfMemoryError):
        client.set("a", "b")
    reports.leave(REPORT)
    assert reports.last() is not None


@pytest.mark.parametrize("foreign", ["", "no JSON", "[]", '{"open": 1}', '{"unknown": 1}'])
def test_what_is_none_of_ours(one: OneProcess, reports: UpkeepReports, foreign: str) -> None:
    one.calls.command("SET", keys.UPKEEP, foreign)
    assert reports.last() is None


def test_the_cron_counts_all_events(one: OneProcess, reports: UpkeepReports) -> None:
    event, other, closed, lost = (one.open(9) for _ in range(4))
    one.inventory.set_state(closed, "closed", OPERATOR)
    one.calls.command("HSET", keys.inventory(other), "server", "", "stopped", "why")
    one.calls.command("UNLINK", *keys.all_of(lost))
    one.calls.command("HSET", keys.quarantine(event), "1-2", "x")
    upkeep(one).tick()
    seen = reports.last()
    assert seen is not None
    assert seen.report == UpkeepReport(open=3, trusted=1, stopped=1, lag=1, quarantined=1, reads=LOG_FORMAT)


def test_a_cron_goes_on_where_it_cannot_leave_any(
    one: OneProcess, reports: UpkeepReports, own_redis: RedisServer
) -> None:
    tending = upkeep(one)
    own_redis.client().config_set("min-replicas-to-write", 1)
    with pytest.raises(SharedStateUnavailable):
        reports.leave(REPORT)
    tending._report([])
    assert reports.last() is None


def test_whether_there_is_a_cron(one: OneProcess, watch: Watch, reports: UpkeepReports) -> None:
    readiness = watch()
    wait_until(lambda: checks(readiness.report())["upkeep"].get("workers") == 0, what="the first look")
    assert checks(readiness.report())["upkeep"]["cron"] == "not seen"
    reports.leave(REPORT)
    wait_until(lambda: checks(readiness.report())["upkeep"]["cron"].startswith("seen "), what="the cron to be seen")
    counts = {name: count for name, count in REPORT._asdict().items() if name != "reads"}
    assert checks(readiness.report())["upkeep"]["events"] == counts


def test_fields_of_a_newer_version_are_ignored(one: OneProcess, reports: UpkeepReports) -> None:
    """An older web process would say that there is no cron."""
    one.calls.command("SET", keys.UPKEEP, json.dumps(REPORT._asdict() | {"later": 1}), "PX", REPORT_KEPT_MS)
    seen = reports.last()
    assert seen is not None
    assert seen.report == REPORT
