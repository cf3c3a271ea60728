"""Parses JSON bodies strictly: bounded size, time and depth, no duplicate keys, no NaN, no lone surrogates."""

import codecs
import json
import re
from typing import Any, Final, NoReturn

from flask import Request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

from seating.domain.errors import InvalidRequest
from seating.web.request_errors import BodyTooLarge, BodyTooSlow, UnsupportedMediaType

MAX_BODY_BYTES: Final = 16 * 1024
MAX_DEPTH: Final = 32

# The closing quote is optional: otherwise 16 KB of escaped quotes without one took half a second.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def receive(request: Request, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return the raw body. Raises UnsupportedMediaType, BodyTooLarge, BodyTooSlow or InvalidRequest."""
    environ = request.environ
    if environ.get("CONTENT_TYPE") != "application/json":  # Rarely there are parameters, which have to be parsed.
        media_type = request.mimetype
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise UnsupportedMediaType
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMediaType
    return _receive(request, most_bytes)


def parse(body: bytes, *, of_a_file: bool = False) -> Any:
    """Parse one strict JSON value; a file may begin with a byte-order mark. Raises InvalidRequest."""
    if of_a_file:
        body = body.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise _invalid("is not UTF-8") from None
    # Before it is decoded: the decoder recurses with each level.
    _refuse_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _invalid(f"is not JSON: {error.msg} at character {error.pos}") from None
    # By default, Python converts no integer of more than 4,300 digits.
    except ValueError:
        raise _invalid("has a number that is too long") from None
    # Only an escape can write one; UTF-8 cannot.
    if "\\u" in text:
        _refuse_lone_surrogates(value)
    return value


def _receive(request: Request, most_bytes: int) -> bytes:
    announced = request.content_length or 0
    if announced > most_bytes:
        raise BodyTooLarge(max_bytes=most_bytes)
    stream = request.environ["wsgi.input"]
    try:
        body: bytes = stream.read(most_bytes + 1)
    except TimeoutError:  # The server's deadline for bodies.
        raise BodyTooSlow from None
    except (OSError, ParseException):
        raise _invalid("did not arrive whole") from None
    if len(body) > most_bytes:
        raise BodyTooLarge(max_bytes=most_bytes)
    if len(body) < announced:
        raise _invalid("did not arrive completely")
    return body


def _refuse_depth(text: str) -> None:
    # Usual bodies are not nested so deep even if each bracket opened a level.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        token = found[0]
        if token in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise _invalid(f"is nested deeper than {MAX_DEPTH} levels")
        elif token in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise InvalidRequest(f"{_shown(doubled)} is given twice", _shown(doubled))
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise _invalid(f"has {name}, which is not JSON")


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _invalid("contains a lone surrogate") from None


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)


def _shown(name: str) -> str:
    """Return a client's name for a field, shortened and printable, for the response."""
    return name.encode("ascii", "backslashreplace").decode()[:100]


def _invalid(reason: str) -> InvalidRequest:
    return InvalidRequest(f"The body {reason}", "body")
