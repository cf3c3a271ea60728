"""A process that begins to fetch a key and takes for ever: `python -m tests.caching.holder <redis url> <key>`."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402

from seating.redis_store.auto_pipeline import AutoPipeline  # noqa: E402
from seating.redis_store.calls import Scripts  # noqa: E402
from seating.redis_store.connection import ScriptConnection  # noqa: E402
from tests.caching.reader import LEASE_S, reader  # noqa: E402


def _fetch() -> bytes:
    print("fetching", flush=True)
    sys.stdin.readline()
    print("fetched", flush=True)
    return b"from the holder"


def main(url: str, key: str) -> None:
    found = reader(AutoPipeline(ScriptConnection(url, Scripts())), lease_s=LEASE_S).get(key, _fetch)
    print("answered", found.value, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
