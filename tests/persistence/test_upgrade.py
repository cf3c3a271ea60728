"""What a version before has recorded is upgraded where it stands."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, select, text

from seating.storage import migrations, schema_version
from seating.storage.database import Database
from seating.storage.tables import purchases

_BEFORE = [
    "INSERT INTO events (id, name, capacity, seated) VALUES ('hall', 'Hall', 9, true)",
    "INSERT INTO purchases (id, event_id, epoch, seq, at_ms, quantity, seats_left, runs, reference, cancelled_ms, "
    "entry_seq) VALUES ('hall.1-3.a', 'hall', 1, 3, 7, 2, 7, '0:0-2', 'R1', 9, 3), "
    "('hall.1-4.b', 'hall', 1, 4, 8, 1, 6, '0:2-1', NULL, NULL, 4)",
    "INSERT INTO sold_seats (event_id, seat_id, purchase_id) VALUES ('hall', 'A3', 'hall.1-4.b')",
    "INSERT INTO ledger (event_id, epoch, seq, change, link) VALUES ('hall', 1, 3, '{}', 'x')",
    "INSERT INTO quarantine (event_id, epoch, seq, change, link, reason, error) "
    "VALUES ('hall', 1, 5, '{}', 'y', 'poison', 'why')",
]


def test_purchases_and_what_of_them_is_cancelled(bare_database_url: str) -> None:
    database = Database(bare_database_url, checkpoints=True)

    def fill(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(schema_version.SCRIPTS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        for statement in _BEFORE:
            connection.execute(text(statement))

    database.write(fill)
    migrations.upgrade(database)
    columns = (purchases.c.id, purchases.c.reference, purchases.c.cancelled_quantity, purchases.c.cancelled_runs)
    query = select(*columns).order_by(purchases.c.seq)
    assert database.read(lambda connection: connection.execute(query).all()) == [
        ("hall.1-3.a", "R1", 2, "0:0-2"),
        ("hall.1-4.b", None, 0, ""),
    ]
    database.close()
