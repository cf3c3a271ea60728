"""The stand-in as a part of the whole system."""

from pathlib import Path

import pytest

from tests.catalogue.partner import Partner
from tests.launched import Launched
from tests.servers import wait_until


def test_a_stand_in_is_started_and_watched_over(tmp_path: Path) -> None:
    running = Launched(tmp_path / "data", CIRCUIT_BREAKER_FAILURE_THRESHOLD="1000").start()
    try:
        wait_until(lambda: running.get("/getUsers").status == 200, what="the stand-in to answer")
        assert "partner  http://127.0.0.1:" in running.log.read_text()
        running.kill_and_wait_for_next("partner")
        wait_until(lambda: running.get("/getEventsByUserId/2").status == 200, what="the next one to answer")
        family = running.family()
    finally:
        assert running.stop() == 0
    assert not any(member.is_running() for member in family)


def test_a_partner_that_is_named_is_used_instead(tmp_path: Path, partner: Partner) -> None:
    running = Launched(tmp_path / "data", EVENT_API_BASE_URL=partner.url).start()
    try:
        assert running.get("/getUsers").json == [{"id": 1, "name": "One"}]
        with pytest.raises(AssertionError, match="no partner runs"):
            running.part("partner")
        assert f"partner  {partner.url} (EVENT_API_BASE_URL)" in running.log.read_text()
    finally:
        running.stop()
