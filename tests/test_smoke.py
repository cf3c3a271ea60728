from tests.system import System


def test_sells_and_records(system: System) -> None:
    event = system.create_event(totalSeats=10)
    answer = system.buy(2, event_id=event, Prefer="wait=10")
    assert answer.status == 200
    assert answer.headers["Preference-Applied"] == "wait"
