"""Checks of this machine's limits: open files, waiting connections, disk, memory."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from seating.cli.doctor.findings import Finding, judged
from seating.config import Settings
from seating.server import open_files

_SOMAXCONN: Final = Path("/proc/sys/net/core/somaxconn")
_WAITING: Final = 2_048
"""gunicorn's own `backlog`."""
_FREE_BYTES: Final = 2**30
# SQLite's WAL needs shared memory, which no network file system offers (https://sqlite.org/wal.html).
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.glusterfs"})


def limits(loaded: Settings) -> Iterator[Finding]:
    fits = open_files.room_for(loaded.web_connections, loaded.event_api_concurrency)
    yield judged(
        "open files",
        f"{fits} of {loaded.web_connections} connections fit",
        warns=fits < loaded.web_connections,
        change="raise the hard limit (ulimit -Hn, LimitNOFILE=), or lower WEB_CONNECTIONS",
    )
    if _SOMAXCONN.exists():
        waiting = int(_SOMAXCONN.read_text())
        yield judged(
            "net.core.somaxconn",
            str(waiting),
            warns=waiting < _WAITING,
            change=f"sysctl net.core.somaxconn={_WAITING}, or a crowd's connections are dropped",
        )


def disk(loaded: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(loaded.data_dir).free
    yield judged(
        "disk",
        f"{free / 2**30:.1f} GB free at {loaded.data_dir}",
        fails=free < _FREE_BYTES,
        change="make room: Redis stops when its disk is full",
    )
    kind = _file_system(loaded.data_dir)
    if loaded.database_url is None and kind in _NETWORK:
        yield judged(
            "disk",
            f"SQLite's file is on {kind}",
            fails=True,
            change="SQLite needs a local disk: move SEATING_DATA_DIR, or set DATABASE_URL",
        )


def memory(loaded: Settings) -> Iterator[Finding]:
    free_mb = psutil.virtual_memory().available // 2**20
    wanted_mb = loaded.redis_maxmemory_mb if loaded.redis_url is None else 0
    yield judged(
        "memory",
        f"{free_mb} MB available" + (f", up to {wanted_mb} MB of it for Redis" if wanted_mb else ""),
        warns=free_mb < wanted_mb,
        change="lower REDIS_MAXMEMORY_MB, or add memory",
    )


def _file_system(folder: Path) -> str:
    """Return the type of the file system that holds `folder`, "" if it is unknown."""
    # Without `all`, psutil leaves out what is on no device of this machine, such as NFS.
    mounts = [mount for mount in psutil.disk_partitions(all=True) if folder.is_relative_to(mount.mountpoint)]
    return max(mounts, key=lambda mount: len(mount.mountpoint)).fstype if mounts else ""
