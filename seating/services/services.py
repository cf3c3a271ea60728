"""The use cases that views reach; runtime.py fills it."""

from dataclasses import dataclass

from seating.redis_store.plans import Plans
from seating.services.events import Events
from seating.services.holds import Holds
from seating.services.monitoring import Monitoring
from seating.services.plan_pages import PlanPages
from seating.services.purchases import Purchases
from seating.services.quarantine import Quarantine
from seating.services.seats import Seats
from seating.storage.database import Offload


@dataclass(frozen=True, slots=True)
class Services:
    """`offload` is for a view's own blocking work, such as reading metric files."""

    events: Events
    purchases: Purchases
    holds: Holds
    seats: Seats
    quarantine: Quarantine
    monitoring: Monitoring
    plans: Plans
    plan_pages: PlanPages
    offload: Offload
