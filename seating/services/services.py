"""The use cases that views call."""

from collections.abc import Callable
from pathlib import Path

import redis

from seating.redis_store.calls import Calls
from seating.redis_store.event_log import EventLog
from seating.redis_store.inventory import Inventory
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.process_reports import UpkeepReports, WebShares
from seating.redis_store.rate_limits import RateLimits
from seating.redis_store.seat_states import SeatStates
from seating.redis_store.write_check import WriteCheck
from seating.services.catalogue import Catalogue
from seating.services.income import Income
from seating.services.monitoring import Monitoring
from seating.services.plan_documents import PlanDocuments
from seating.services.readiness import Readiness
from seating.services.readings import Readings
from seating.services.sale import Sale, SaleOptions
from seating.services.seats import SeatMaps
from seating.services.users import Users
from seating.services.web_instances import WebInstances
from seating.services.webhooks import Webhooks
from seating.storage.api_keys import ApiKeys
from seating.storage.database import Database, Offload
from seating.storage.replica import LaggingReads
from seating.telemetry.metrics_folder import Speaker


class Services(Sale):
    """A sale, and everything else that web processes serve.

    `states` reads whole maps, on a connection that buyers do not use. `own_calls` are for readiness, on another one, so
    that it does not wait for buyers. `offload` runs a view's own blocking work, such as reading files.
    """

    def __init__(
        self,
        calls: Calls,
        client: "redis.Redis",
        database: Database,
        queue: PersistQueue,
        nudge: Callable[..., object],
        options: SaleOptions,
        *,
        default_event: str,
        own_calls: Calls,
        states: SeatStates,
        offload: Offload,
        catalogue: Catalogue,
        users: Users,
        rate_limits: RateLimits,
        api_keys: ApiKeys,
        data_dir: Path,
        reads: LaggingReads,
        metrics_dir: Path | None,
    ) -> None:
        super().__init__(calls, client, database, nudge, options, reads=reads)
        self.offload = offload
        self.catalogue = catalogue
        self.users = users
        self.rate_limits = rate_limits
        self.api_keys = api_keys
        self.income = Income(reads, self.box_office)
        self.seat_maps = SeatMaps(states, self.presence, offload)
        self.webhooks = Webhooks(database)
        self.plan_documents = PlanDocuments(self.names, offload)
        self.monitoring = Monitoring(self.inventory, self.set_aside, self.presence)
        self.instances = WebInstances(WebShares(calls), Speaker(metrics_dir), offload)
        self.readiness = Readiness(
            writes=WriteCheck(own_calls, options.backlog_memory_percent),
            own_inventory=Inventory(own_calls, **options.backlog),
            inventory=self.inventory,
            open_events=self.open_events,
            reports=UpkeepReports(calls),
            queue=queue,
            breakers=catalogue.guards,
            database=database,
            data_dir=data_dir,
            offload=offload,
            replica=reads.replica,
            default_event=default_event,
        )
        of_sale = (self.inventory, self.set_aside, EventLog(calls), self.open_events)
        self.readings = Readings(calls, *of_sale, queue, self.counts, catalogue.guards, self.readiness)
