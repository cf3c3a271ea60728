"""Timestamps for clients: RFC 3339, in UTC."""

from datetime import UTC, datetime


def rfc3339(at_ms: float) -> str:
    """Format ms since 1970."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
