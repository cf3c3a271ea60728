"""SQL comes back from a backup that is older than what Redis has."""

from sqlalchemy import Connection, delete, update

from seating.domain.log_entry import Mark
from seating.domain.position import Position
from seating.storage import watermarks as watermark_record
from seating.storage.tables import answered, events, ledger, purchases, quarantine, rebuilds, watermarks
from tests.one_process import OneProcess


def test_no_position_comes_to_mean_two_things(sale: OneProcess) -> None:
    """Redis is two epochs ahead of the backup. The next one follows Redis's, or its positions would come again."""
    event = sale.open(capacity=50)
    kept = sale.buy(event, "kept")
    sale.persist(event)
    backup = sale.database.read(lambda connection: watermark_record.read(connection, event))
    assert backup is not None
    for _ in range(2):
        sale.rebuild.run(event, "asked for", close=True)
    lost = [sale.buy(event, f"k{number}") for number in range(4)]
    assert lost[-1].id.position == (3, 8)

    sale.database.write(lambda connection: _restore(connection, event, backup))
    sale.persist(event)
    assert sale.now(event).backlog.position == (4, 3)
    assert [Position(row.epoch, row.seq) for row in sale.rows(quarantine, event)] == [
        (3, 4),
        *(receipt.id.position for receipt in lost),
    ]
    assert sale.buy(event, "kept") == kept
    for number in range(6):
        sale.buy(event, f"new {number}")
    sale.persist(event)
    assert not sale.purchases.watch.wait(lost[-1].id, 0)
    assert [sale.purchases.get(receipt.id).state for receipt in lost] == ["quarantined"] * 4
    assert sale.check.verify(event).broken is None


def test_an_event_that_the_backup_does_not_have(sale: OneProcess) -> None:
    event = sale.open(capacity=50)
    sale.database.write(lambda connection: _forget(connection, event))
    sale.buy(event, "k")
    sale.persist(event)
    assert event in sale.check.event_ids()
    (finding,) = sale.check.reconcile(event)
    assert finding.what == "Redis sells it and SQL has no record of it"


def _forget(connection: Connection, event_id: str) -> None:
    for table in (ledger, watermarks):
        connection.execute(delete(table).where(table.c.event_id == event_id))
    connection.execute(delete(events).where(events.c.id == event_id))


def _restore(connection: Connection, event_id: str, mark: Mark) -> None:
    """To the first epoch, at whose end `mark` is."""
    for table in (ledger, purchases, rebuilds, answered):
        connection.execute(delete(table).where(table.c.event_id == event_id, table.c.epoch > mark.position.epoch))
    connection.execute(
        update(watermarks)
        .where(watermarks.c.event_id == event_id)
        .values(epoch=mark.position.epoch, seq=mark.position.seq, link=mark.link)
    )
