"""The seats of each open event, one by one: what each is, and setting it as the organiser wants."""

from seating.domain.position import Position
from seating.domain.seating_plan import Run
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts
from seating.redis_store.script_refusals import accepted


class Seats:
    """Raises what EventScripts does."""

    def __init__(self, calls: Calls) -> None:
        self._scripts = EventScripts(calls)
        self._seen = calls.seen

    def set(self, event_id: str, seat: Run, status: str) -> Position:
        """Sets one seat to a status as maps have it. Raises SeatSold or SeatHeld where a buyer has it."""
        reply = accepted(self._scripts.run("set_seat", keys.of_seats(event_id), (str(seat), status)))
        position = Position.parse(reply[1].decode())
        self._seen.note(event_id, position)
        return position
