"""The product's web, which does not mind when Redis syncs, only to be compared with."""

from bench.apps import app as app
from seating.redis_store import durability

del durability._REQUIRED["appendfsync"]
