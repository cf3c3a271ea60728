"""Idempotency keys: how they are read, whose they are, and what tells a repetition from a reuse.

Source: draft-ietf-httpapi-idempotency-key-header (a structured-field string), and what clients send (the bare one).
"""

import base64
import hashlib
import re

from seating.domain.errors import InvalidIdempotencyKey, MissingIdempotencyKey

_BARE = re.compile(r"[\x21-\x7e]{1,255}")
_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,510})"')


def parse_key(header: str | None, min_length: int = 1) -> str:
    """The key in an Idempotency-Key header; `abc` and `"abc"` are one key.

    Raises MissingIdempotencyKey, or InvalidIdempotencyKey for a broken quoted string, for anything but
    1 to 255 visible ASCII characters, and for a key of fewer than `min_length`.
    """
    if header is None or not header.strip(" \t"):
        raise MissingIdempotencyKey
    text = header.strip(" \t")
    if text.startswith('"'):
        quoted = _QUOTED.fullmatch(text)
        if quoted is None:
            raise InvalidIdempotencyKey
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    if _BARE.fullmatch(text) is None:
        raise InvalidIdempotencyKey
    if len(text) < min_length:
        raise InvalidIdempotencyKey(
            f"Without an API key, an Idempotency-Key must have at least {min_length} characters, best those of a UUID: "
            "all callers without an API key share their keys, and a short one may be another buyer's"
        )
    return text


def short_hash(*parts: str) -> str:
    """128 bits of SHA-256 over `parts`, as 22 characters of URL-safe base 64."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
