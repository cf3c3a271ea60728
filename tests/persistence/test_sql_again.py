"""The cron begins a restarted Redis's term as soon as SQL answers again, however long recording had been put off."""

import pytest

from seating.domain.errors import RecordUnavailable
from seating.redis_store import keys
from tests.one_process import OneProcess
from tests.persistence.test_archive import upkeep


def _restarted(sale: OneProcess) -> str:
    """An event on a server that has been restarted."""
    event = sale.open(capacity=10)
    sale.buy(event, "a-buyer-before-it")
    sale.calls.command("HSET", keys.inventory(event), "server", "before the restart")
    return event


def test_buyers_do_not_wait_for_the_retry(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event = _restarted(sale)

    def down(*_: object) -> None:
        raise RecordUnavailable from OSError("down")

    with monkeypatch.context() as broken:
        broken.setattr(sale.database, "read", down)
        sale.persist(event)
        assert sale.persistence.retries.read(event).waits_for_sql
        upkeep(sale).tick()
        assert not sale.now(event).backlog.trusted
    sale.calls.command("EXPIRE", keys.retry_wait(event), 3600)
    upkeep(sale).tick()
    assert sale.now(event).backlog.trusted
    assert sale.buy(event, "a-buyer-after-it").left == 8
    assert not sale.persistence.retries.read(event).failed


def test_what_an_operator_has_to_mend_is_not_tried_every_second(sale: OneProcess) -> None:
    event = _restarted(sale)
    sale.persistence.retries.postpone(event)
    sale.calls.command("EXPIRE", keys.retry_wait(event), 3600)
    upkeep(sale).tick()
    assert not sale.now(event).backlog.trusted
