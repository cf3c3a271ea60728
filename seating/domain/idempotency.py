"""Idempotency keys: their two spellings, and the hashes that identify callers and orders.

Source: draft-ietf-httpapi-idempotency-key-header (a quoted string), and common practice (a bare one).
"""

import base64
import hashlib
import re

from seating.domain.errors import InvalidIdempotencyKey, MissingIdempotencyKey

_BARE = re.compile(r"[\x21-\x7e]{1,255}")
# In a string of RFC 8941, only a quote and a backslash may be escaped.
_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,510})"')


def parse_key(sent: str | None, min_length: int = 1) -> str:
    """Return the key that a client sent; `abc` and `"abc"` are the same key.

    Raises MissingIdempotencyKey, or InvalidIdempotencyKey for an invalid quoted string, for anything but 1 to 255
    visible ASCII characters, and for a key of fewer than `min_length`.
    """
    if sent is None or not sent.strip(" \t"):
        raise MissingIdempotencyKey
    text = sent.strip(" \t")
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
    """Return 128 bits of SHA-256 over `parts`, as 22 characters of URL-safe Base64."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
