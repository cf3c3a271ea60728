"""A user, and the rules for ids and e-mail addresses."""

import base64
import secrets
from dataclasses import dataclass
from typing import Final, Literal

from email_validator import EmailNotValidError, validate_email

from seating.domain.errors import InvalidRequest

Plan = Literal["free", "pro", "enterprise"]
MAX_ID_LENGTH: Final = 64
# In the addresses of other routes these stand in the place of an id, or they mean another path.
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
    """Return the id if it is visible text. Raises InvalidRequest."""
    if not 1 <= len(user_id) <= MAX_ID_LENGTH:
        raise InvalidRequest(f"Id must be 1 to {MAX_ID_LENGTH} characters", "id")
    if not user_id.isprintable() or user_id != user_id.strip():
        raise InvalidRequest("Id must be visible characters, without surrounding spaces", "id")
    return user_id


def check_new_id(user_id: str) -> str:
    """Return the id if it cannot be confused with a word of a route. Raises InvalidRequest."""
    if check_id(user_id) in _ROUTE_WORDS or "/" in user_id:
        raise InvalidRequest("Id must not be a reserved word or contain a slash", "id")
    return user_id


def new_user_id() -> str:
    """Return sixteen random Base32 characters."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def normal_email(text: str) -> str:
    """Return the address in its normal form, for comparison. Raises InvalidRequest.

    Only the syntax is checked; no server is contacted. Names under .test (RFC 2606) pass.
    """
    try:
        checked = validate_email(text, strict=True, check_deliverability=False, test_environment=True)
        return checked.normalized.lower()
    except EmailNotValidError as error:
        raise InvalidRequest(f"Email: {error}", "email") from None
