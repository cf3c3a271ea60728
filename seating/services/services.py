"""The use cases that views reach; runtime.py fills it."""

from dataclasses import dataclass

from seating.redis_store.lru_cache import LruCache
from seating.redis_store.plans import Plans
from seating.redis_store.rate_limits import RateLimits
from seating.services.catalogue import Catalogue
from seating.services.events import Events
from seating.services.holds import Holds
from seating.services.losses import Losses
from seating.services.merge import Merge
from seating.services.monitoring import Monitoring
from seating.services.plan_pages import PlanPages
from seating.services.purchases import Purchases
from seating.services.quarantine import Quarantine
from seating.services.seats import SeatMaps, Seats
from seating.services.users import Users
from seating.storage.database import Offload


@dataclass(frozen=True, slots=True)
class Services:
    """`offload` is for a view's own blocking work, such as reading metric files."""

    events: Events
    purchases: Purchases
    holds: Holds
    seats: Seats
    quarantine: Quarantine
    losses: Losses
    merge: Merge
    monitoring: Monitoring
    catalogue: Catalogue
    seat_maps: SeatMaps
    plans: Plans
    users: Users
    user_cache: LruCache
    rate_limits: RateLimits
    plan_pages: PlanPages
    offload: Offload
