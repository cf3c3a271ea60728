"""WebSocket frames as a server sends them (RFC 6455, section 5.2), not masked and never fragmented."""

from collections.abc import Iterable
from typing import Final

_FINAL_TEXT = 0x81
_FINAL_CLOSE = 0x88
_FINAL_PING = 0x89

PING: Final = bytes((_FINAL_PING, 0))


def text_frame(text: str) -> bytes:
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((_FINAL_TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((_FINAL_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_FINAL_TEXT, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int) -> bytes:
    return bytes((_FINAL_CLOSE, 2)) + code.to_bytes(2, "big")


def text_frames(texts: Iterable[str]) -> bytes:
    """Many messages for one write."""
    return b"".join(map(text_frame, texts))
