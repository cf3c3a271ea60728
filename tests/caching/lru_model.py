"""A cache said in the most obvious way."""

from collections import OrderedDict


class LruModel:
    """Used longest ago first in `entries`: key to value and when it is due, in ms."""

    def __init__(self, capacity: int, max_bytes: int) -> None:
        self.capacity = capacity
        self.max_bytes = max_bytes
        self.entries: OrderedDict[str, tuple[bytes, int]] = OrderedDict()
        self.hits = self.evictions = self.expirations = 0

    def get(self, key: str, now_ms: int) -> bytes | None:
        if key not in self.entries or self.entries[key][1] <= now_ms:
            return None
        self.hits += 1
        self.entries.move_to_end(key)
        return self.entries[key][0]

    def put(self, key: str, value: bytes, ttl_ms: int, now_ms: int, *, if_absent: bool) -> bool:
        self.sweep(now_ms)
        if if_absent and key in self.entries:
            return False
        self.entries.pop(key, None)
        entry = (value, now_ms + ttl_ms)
        if _size(key, entry) > self.max_bytes:
            return False
        while len(self.entries) >= self.capacity or self.bytes + _size(key, entry) > self.max_bytes:
            self.entries.popitem(last=False)
            self.evictions += 1
        self.entries[key] = entry
        return True

    def sweep(self, now_ms: int) -> int:
        due = [key for key, (_, due_ms) in self.entries.items() if due_ms <= now_ms]
        for key in due:
            del self.entries[key]
        self.expirations += len(due)
        return len(due)

    @property
    def bytes(self) -> int:
        return sum(_size(key, entry) for key, entry in self.entries.items())


def _size(key: str, entry: tuple[bytes, int]) -> int:
    value, due_ms = entry
    return len(key.encode()) + len(f"{due_ms}|") + len(value)
