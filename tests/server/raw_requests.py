"""Random bytes that are nearly requests: whole ones of many kinds, some with a few bytes changed."""

import random
from collections.abc import Iterator

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE", "get", "G", "PROPFIND")
_TARGETS = (
    *("/", "/api/v1/event", "/a?b=c", "/a?b=c?d", "/a%20b%00%ff", "//a/b", "/a//b", "/%", "/a#b", "/a?b#c", "*", ""),
    *("http://h/a", "h:80", "/[a]", "/a;b", "/a b", "/\xe9", "/a\t", "/?", "/a\\b", '/"<>^`{|}', "/../a", "/\x7f"),
)
_VERSIONS = ("HTTP/1.1",) * 12 + ("HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.1 ", "HTTP/1.10", "")
_NAMES = (
    *("Host", "host", "Content-Type", "content-type", "Content-Length", "content-length", "Connection", "Expect"),
    *("Transfer-Encoding", "transfer-encoding", "Upgrade", "Trailer", "TE", "Keep-Alive", "Proxy-Connection", "Accept"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "X_Forwarded_For", "Cookie"),
    *(
        "Idempotency-Key",
        "SCRIPT_NAME",
        "Script-Name",
        "A!#$%&'*+.^`|~",
        "A b",
        "",
        " A",
        "A ",
        "A\xe9",
        "HTTP2-Settings",
    ),
)
_VALUES = (
    *("a", "", " ", "\t a \t", "a\xe9\xff", "a\x0bb", "a\x00b", "a\x7fb", "0", "5", "05", "+5", "-5", "5, 5", "5 5"),
    *("chunked", "Chunked", "chunked, chunked", "gzip, chunked", "identity", "xchunked", "close", "keep-alive"),
    *(
        "Keep-Alive",
        "upgrade",
        "close, te",
        "websocket",
        "h2c",
        "100-continue",
        "https",
        "ssl",
        "on",
        "http",
        "trailers",
    ),
    *("application/json", "99999999999999999999", "\xb2", "[::1", "a:80", "x" * 300, '"', "a,b"),
)
_ENDS = ("\r\n",) * 40 + ("\n", "\r", "\r\n ", "\r\n\t", "\n\r", "\r\r\n", " \r\n")
_BODIES = (
    *(b"", b"hello", b"GET / HTTP/1.1\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    *(b"5\r\nhello\r\n0\r\nA: b\r\n\r\n", b"005\r\nhello\r\n00\r\n\r\n", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    *(b"5 \r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n"),
    *(
        b"5\r\nhello\r\n0\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"FFFFFFF\r\nhello",
        b"5\r\nhello\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
    ),
)
_BYTES = (
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b":",
    b"\0",
    b"\x80",
    b"\xff",
    b"_",
    b",",
    b";",
    b"#",
    b"?",
    b"%",
    b"\x7f",
)


def raw_requests(seed: int, count: int) -> Iterator[bytes]:
    """The same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        data = _request(chance)
        if chance.random() < 0.2:
            data += _request(chance)
        for _ in range(chance.choice((0, 0, 0, 0, 1, 1, 2, 5))):
            data = _changed(chance, data)
        yield data


def _request(chance: random.Random) -> bytes:
    """Half of them are odd in one place at most, before bytes are changed."""
    tidy = chance.random() < 0.5
    method = chance.choice(_METHODS[: 7 if tidy else 12])
    target = chance.choice(_TARGETS[: 5 if tidy else 24])
    lines = [f"{method} {target} {'HTTP/1.1' if tidy else chance.choice(_VERSIONS)}"]
    body = chance.choice(_BODIES)
    if chance.random() < 0.8:
        lines.append("Host: seating.test")
    framing = chance.random()
    if framing < 0.35:
        lines.append(f"Content-Length: {len(body)}")
    elif framing < 0.6:
        lines.append("Transfer-Encoding: chunked")
    fields = range(chance.choice((0, 0, 1, 2, 3)))
    lines += [f"{chance.choice(_NAMES)}:{chance.choice(('', ' '))}{chance.choice(_VALUES)}" for _ in fields]
    if chance.random() < 0.01:
        lines += [f"A{number}: b" for number in range(chance.choice((60, 63, 64, 65, 80)))]
    if chance.random() < 0.01:
        lines.append(f"A: {'x' * chance.choice((3_990, 8_000, 16_000, 17_000))}")
    head = "".join(line + chance.choice(_ENDS[: 1 if tidy else None]) for line in lines)
    return chance.choice((b"",) * 30 + (b"\r\n", b"\n")) + head.encode("latin-1") + b"\r\n" + body


def _changed(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    new = chance.choice(_BYTES) if chance.random() < 0.7 else chance.randbytes(1)
    kind = chance.randrange(4)
    if kind == 0:
        return data[:at] + new + data[at:]
    if kind == 1:
        return data[:at] + new + data[at + 1 :]
    if kind == 2:
        return data[:at] + data[at + chance.randrange(1, 5) :]
    other = chance.randrange(len(data) + 1)
    return data[:at] + data[min(at, other) : max(at, other)] + data[at:]
