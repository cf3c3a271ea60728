"""Who is calling, and what each route allows: every view declares its access with `open_to`."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Final

from flask import Request
from flask.globals import request_ctx
from werkzeug.wrappers import Response

from seating.domain.actor import Actor
from seating.domain.caller import ANONYMOUS, OPERATOR, Caller, Role
from seating.domain.errors import RateLimited, SharedStateUnavailable
from seating.domain.idempotency import parse_key
from seating.domain.rate_policy import Quota, Verdict
from seating.storage.api_keys import InvalidKeyFile
from seating.telemetry import metrics
from seating.web import this_machine
from seating.web.client_address import caller_address
from seating.web.request_errors import Forbidden, Unauthorized
from seating.web.request_log import note
from seating.web.services import services, settings

View = Callable[..., Response]

_GROUP: Final = "wrong-keys"
_MOST_REFUSED: Final = 10_000
_CALLER: Final = "seating.caller"


class Access(StrEnum):
    """Who may use a route; stored as `view.access`."""

    ANYBODY = "anybody"
    HOLDERS = "holders of an id"
    BUYERS = "buyers"
    SHOPS = "shops"
    READERS = "readers"
    OPERATORS = "operators"
    USERS = "users"
    USER_CHANGES = "user changes"


_ROLES: Final = {
    Access.HOLDERS: {*Role},
    Access.BUYERS: {Role.SELL, Role.OPERATE},
    Access.SHOPS: {Role.SELL, Role.READ, Role.OPERATE},
    Access.READERS: {Role.READ, Role.OPERATE},
    Access.OPERATORS: {Role.OPERATE},
    Access.USERS: {Role.READ, Role.OPERATE},
    Access.USER_CHANGES: {Role.OPERATE},
}


def open_to(access: Access) -> Callable[[View], View]:
    """Check access before anything else in the request. Raises Unauthorized, Forbidden, RateLimited."""

    def decorate(view: View) -> View:
        if access is Access.ANYBODY:
            guarded = view
        else:

            @wraps(view)
            def guarded(**arguments: object) -> Response:
                _admit(access)
                return view(**arguments)

        guarded.access = access  # type: ignore[attr-defined]
        return guarded

    return decorate


def caller() -> Caller:
    """Return the caller of an admitted request."""
    found: Caller = request_ctx.request.environ[_CALLER]
    return found


def client_address() -> str:
    """Return the address of the request's client, as limits and the audit log know it."""
    return caller_address(request_ctx.request, settings().proxy_networks)


def actor(why: str | None = None) -> Actor:
    """Return the caller of an admitted request as the audit log names it, with the reason given."""
    asked = request_ctx.request
    return Actor(caller().name, client_address(), asked.environ.get("seating.request_id"), why)


def idempotency_key(header: str | None) -> str:
    """Raises what `parse_key` does. Callers with a key have idempotency keys of their own, as short as they like."""
    return parse_key(header, 1 if caller().role else settings().idempotency_key_min)


def may(access: Access) -> bool:
    """Return whether the request would be admitted. A wrong key is as good as none here."""
    try:
        _admit(access)
    except (Unauthorized, Forbidden, RateLimited, SharedStateUnavailable):
        return False
    return True


def _admit(access: Access) -> None:
    asked = request_ctx.request
    found = _caller(asked)
    if found is None:
        found = _without_key(access, asked)
    # With a key, a caller must not have less than without one.
    elif found.role not in _ROLES[access] and not _are_open_users(access):
        note(caller=found.name)
        raise Forbidden(role=found.role)
    asked.environ[_CALLER] = found
    note(caller=found.name)


def _without_key(access: Access, asked: Request) -> Caller:
    current = settings()
    if access is Access.HOLDERS:
        return ANONYMOUS
    if access is Access.BUYERS and not current.sell_requires_key:
        return ANONYMOUS
    if _are_open_users(access):
        return ANONYMOUS
    if access is Access.BUYERS:
        raise Unauthorized("Buying seats requires an API key: send it as Authorization: Bearer")
    if not current.seating_development or current.proxy_networks or current.admin_token:
        raise Unauthorized
    if services().api_keys.has_operator():
        raise Unauthorized
    refusal = this_machine.refusal(asked)
    if refusal:
        raise Unauthorized(f"Without an API key, this is open to this machine only, and {refusal}")
    return OPERATOR


def _are_open_users(access: Access) -> bool:
    """Return whether this is a route for users, and those are open to everybody."""
    return access in (Access.USERS, Access.USER_CHANGES) and not settings().users_need_key


def _caller(asked: Request) -> Caller | None:
    """Return the owner of the request's key; None without one. Another scheme is not ours; a proxy's, perhaps."""
    header = asked.environ.get("HTTP_AUTHORIZATION")
    scheme, _, secret = header.partition(" ") if header else ("", "", "")
    if scheme.lower() != "bearer":
        return None
    address = client_address()
    found = _owner(secret.strip(" "))
    if found is None:
        # Only now: the limit on wrong keys must not hit a request that has a valid one.
        _wrong_keys.refuse(address)
        # A call to Redis, so not for an address that this process refuses by itself.
        _wrong_keys.count(address)
        raise Unauthorized("This API key does not exist or was removed")
    return found


def _owner(secret: str) -> Caller | None:
    token = settings().admin_token
    is_token = token is not None and hmac.compare_digest(
        secret.encode(errors="surrogatepass"), token.get_secret_value().encode()
    )
    if is_token:
        return OPERATOR
    try:
        return services().api_keys.find(secret)
    except InvalidKeyFile as error:
        # A shop must not take its valid key for a revoked one.
        raise SharedStateUnavailable("API keys are temporarily unavailable; try again") from error


class _WrongKeys:
    """Addresses that sent too many wrong keys. Redis counts for all processes; each remembers those it refuses."""

    def __init__(self) -> None:
        self._refused: OrderedDict[str, tuple[float, Quota]] = OrderedDict()

    def refuse(self, address: str) -> None:
        """Raises RateLimited."""
        if address not in self._refused:
            return
        until, quota = self._refused[address]
        wait_ms = int((until - time.monotonic()) * 1000)
        if wait_ms > 0:
            raise RateLimited(quota, Verdict(passes=False, wait_ms=wait_ms, left=()))
        self._refused.pop(address, None)

    def count(self, address: str) -> None:
        """Count a wrong key. Raises RateLimited. Fails open without Redis: keys cannot be guessed anyway."""
        metrics.WRONG_KEYS.inc()
        limit = services().rate_limits.of(_GROUP, address)
        try:
            if limit is not None:
                services().rate_limits.take(_GROUP, limit)
        except RateLimited as error:
            self._refused.pop(address, None)  # Move it to the end.
            self._refused[address] = time.monotonic() + (error.retry_after_s or 0), error.quota
            if len(self._refused) > _MOST_REFUSED:
                self._refused.popitem(last=False)
            raise
        except SharedStateUnavailable:
            metrics.DONE_WITHOUT.labels(f"limit {_GROUP}").inc()


_wrong_keys: Final = _WrongKeys()
