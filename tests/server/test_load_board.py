"""Each process has a place of its own on the board, however often its neighbours are replaced."""

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]

from seating.server.load_board import LoadBoard
from seating.server.worker import WebWorker


def test_a_process_that_lives_on_keeps_its_place() -> None:
    """Its neighbour is replaced as often as it takes to come round the board."""
    board = LoadBoard(processes=2)
    lasting, place = board.place(1), board.place(2)
    lasting.put(9)
    for age in range(3, 20):
        place.leave()
        place = board.place(age)
        assert place.youngest() == 1, "it accepts nothing yet"
        place.put(0)
        assert lasting.youngest() == age
        assert lasting.leads()
        lasting.put(9)
        assert not place.leads()
    place.leave()
    assert place.youngest() == 1


def test_a_process_that_has_left_writes_nothing_more() -> None:
    """The last connection of one that was replaced ends after its place was given on, and it dies after that."""
    board = LoadBoard(processes=1)
    old, other = board.place(1), board.place(2)
    old.put(3)
    other.put(1)
    old.leave()
    assert other.youngest() == 2
    new = board.place(3)
    old.put(0)
    assert other.youngest() == 2
    new.put(9)
    old.put(0)
    old.leave()
    assert (new.youngest(), new.leads()) == (3, True)


def test_with_more_processes_than_places_the_oldest_gives_way() -> None:
    """It is the one that is being replaced."""
    board = LoadBoard(processes=1)
    places = [board.place(age) for age in (1, 2, 3)]
    for place in places:
        place.put(5)
    assert places[0].youngest() == 3
    places[0].leave()
    assert places[1].youngest() == 3


def test_more_processes_after_a_reload_share_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WebWorker, "_board", None)
    config = Config()

    def start(age: int, processes: int) -> WebWorker:
        config.set("workers", processes)
        return WebWorker(age, 1, [], None, 60, config, None)

    before = [start(age, 2) for age in (1, 2)]
    after = [start(age, 8) for age in range(3, 11)]
    for worker in before + after:
        worker.place.put(5)
    for worker in reversed(after):
        assert after[0].place.youngest() == worker.age
        worker.place.leave()
