"""A user: what is kept of one, and what their id and e-mail address may be."""

import base64
import secrets
from dataclasses import dataclass
from typing import Final, Literal

from email_validator import EmailNotValidError, validate_email

from seating.domain.errors import InvalidRequest

Plan = Literal["free", "pro", "enterprise"]
MAX_ID_LENGTH: Final = 64
# These stand where an id would in the addresses of other routes, or mean another place.
_ROUTE_WORDS = frozenset({"cache", "cache-status", ".", ".."})


@dataclass(frozen=True, slots=True)
class User:
    """`created_ms` is in ms since 1970."""

    id: str
    name: str
    email: str
    plan: Plan
    is_active: bool
    created_ms: int


def check_id(user_id: str) -> str:
    """Any visible text is an id. Raises InvalidRequest."""
    if not 1 <= len(user_id) <= MAX_ID_LENGTH:
        raise InvalidRequest(f"Id must be 1 to {MAX_ID_LENGTH} characters", "id")
    if not user_id.isprintable() or user_id != user_id.strip():
        raise InvalidRequest("Id must be visible characters, without blanks around them", "id")
    return user_id


def check_new_id(user_id: str) -> str:
    """An id that can be told from the words of routes, in any address. Raises InvalidRequest."""
    if check_id(user_id) in _ROUTE_WORDS or "/" in user_id:
        raise InvalidRequest("Id must not be a word of a route, nor have a slash", "id")
    return user_id


def new_user_id() -> str:
    """Sixteen random characters of base 32."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def normal_email(text: str) -> str:
    """The address in the one form in which it is compared. Raises InvalidRequest.

    Only the form is looked at: whether mail arrives, no request waits to find out. Names under .test (RFC 2606) pass.
    """
    try:
        checked = validate_email(text, strict=True, check_deliverability=False, test_environment=True)
        return checked.normalized.lower()
    except EmailNotValidError as error:
        raise InvalidRequest(f"Email: {error}", "email") from None
