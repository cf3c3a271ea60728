"""What SQL refuses is told to people in words, and its own text stays in the database."""

import pytest
from sqlalchemy import insert

from seating.domain.recovery_errors import NotReplayable
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.storage.tables import ledger, sold_seats
from tests.one_process import OPERATOR, OneProcess

HALL = generate(GeneratedPlan(sections=1, rows=1, seatsPerRow=4))


def test_a_seat_that_the_record_has_sold(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    (seat, *_) = HALL.seats_of(sale.buy(event, "k1").runs)
    row = {"event_id": event, "seat_id": seat, "purchase_id": None}
    sale.database.write(lambda connection: connection.execute(insert(sold_seats), row))
    _assert_in_words(sale, event, "one of its seats is already sold in the record")


def test_a_place_that_the_record_has_given_away(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    sale.buy(event, "k1")
    row = {"event_id": event, "epoch": sale.term(event), "seq": 3, "change": "{}", "link": "0" * 40}
    sale.database.write(lambda connection: connection.execute(insert(ledger), row))
    _assert_in_words(sale, event, "the record has another entry in its place")


def _assert_in_words(sale: OneProcess, event: str, words: str) -> None:
    sale.persist(event)
    (aside,) = sale.quarantine.page(event, 0, 10).items
    assert aside.words == words
    assert "INSERT INTO" in aside.error or "COPY" in aside.error
    with pytest.raises(NotReplayable) as refused:
        sale.quarantine.replay(event, str(aside.entry.position), OPERATOR)
    assert refused.value.message == f"The record still rejects it: {words}"


def test_what_an_earlier_version_put_aside(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    (seat, *_) = HALL.seats_of(sale.buy(event, "k1").runs)
    row = {"event_id": event, "seat_id": seat, "purchase_id": None}
    sale.database.write(lambda connection: connection.execute(insert(sold_seats), row))
    sale.persist(event)
    (aside,) = sale.quarantine.page(event, 0, 10).items
    assert aside._replace(error="(sqlite3.IntegrityError) UNIQUE\n[SQL: INSERT").words == "SQL refuses it"
