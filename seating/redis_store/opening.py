"""Opens `Calls` to the server or the cluster that a URL names."""

from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import Scripts
from seating.redis_store.cluster_calls import ClusterCalls
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.redis_store.seen_positions import SeenPositions
from seating.redis_store.server_address import is_cluster
from seating.redis_store.slot_map import slot_map


def pipelined(
    url: str, *, scripts: Scripts | None = None, awaits_terms: bool = False, reply_within_s: float = 5.0
) -> AutoPipeline | ClusterCalls:
    """Open calls for greenlets, with a connection of their own. `awaits_terms` is for buyers of a cluster."""
    scripts, seen = scripts or Scripts(), SeenPositions()

    def connect(server: str) -> AutoPipeline:
        return AutoPipeline(ScriptConnection(server, scripts, seen=seen, reply_within_s=reply_within_s))

    if not is_cluster(url):
        return connect(url)
    return ClusterCalls(slot_map(url), connect, scripts, seen, awaits_terms=awaits_terms)


def direct(url: str, *, seen: SeenPositions | None = None, reply_within_s: float = 5.0) -> DirectCalls | ClusterCalls:
    """Open calls that are sent one at a time. `seen` is shared with other calls of the process."""
    scripts, seen = Scripts(), seen or SeenPositions()

    def connect(server: str) -> DirectCalls:
        return DirectCalls(ScriptConnection(server, scripts, seen=seen, reply_within_s=reply_within_s))

    return ClusterCalls(slot_map(url), connect, scripts, seen) if is_cluster(url) else connect(url)
