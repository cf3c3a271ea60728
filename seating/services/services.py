"""The use cases that views reach; runtime.py fills it."""

from dataclasses import dataclass

from seating.redis_store.plans import Plans
from seating.services.events import Events
from seating.services.monitoring import Monitoring
from seating.services.purchases import Purchases
from seating.services.quarantine import Quarantine
from seating.services.seat_map import SeatMaps
from seating.storage.database import Offload


@dataclass(frozen=True, slots=True)
class Services:
    """`offload` is for a view's own blocking work, such as reading metric files."""

    events: Events
    purchases: Purchases
    quarantine: Quarantine
    monitoring: Monitoring
    seat_maps: SeatMaps
    plans: Plans
    offload: Offload
