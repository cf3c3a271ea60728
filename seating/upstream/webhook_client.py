"""Delivers webhook messages over HTTP, to public addresses only, within a deadline that no receiver can stretch.

A host is resolved once for a few messages, all of its addresses are checked, and the connection goes to one of those
that were checked: a name that means another address a moment later changes nothing.
"""

import os
import random
import re
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

import gevent
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from seating import __version__
from seating.domain.public_address import is_public
from seating.domain.webhook import Target
from seating.domain.webhook_message import Message
from seating.upstream.retry_after import whole_seconds_until

MAX_RESPONSE_BYTES: Final = 16 * 1024
"""A response is read so far, that the next message can use the connection. Its content does not matter."""

_MOST_TRIED: Final = 4
"""Addresses of a host, each for its part of the time."""

_SECONDS: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
# HTTP's longest form of a date has 33 characters (RFC 9110, section 5.6.7).
_LONGEST_DATE: Final = 40
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": f"seating/{__version__}"}

Resolve = Callable[[str, int], list[str]]


class DeliveryFailed(Exception):
    """A message did not arrive, as far as is known. The text is the reason, without anything that the receiver sent.

    `wait_s` is how long the receiver asks to wait, 0 if it does not say; `is_final` if it wants no more messages.
    """

    def __init__(self, reason: str, wait_s: int = 0, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.wait_s: Final = wait_s
        self.is_final: Final = is_final


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises OSError, or UnicodeError for a name that cannot be one."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class WebhookClient:
    """For the greenlets of one process. `within_s` is the time for one message, from the first look-up to the response.

    With `allow_private` every address will do, and so will http.
    """

    def __init__(
        self,
        within_s: float,
        *,
        allow_private: bool,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.within_s: Final = within_s
        self._allow_private = allow_private
        self._resolve = resolve
        # Made once: to load the system's certificates takes a while.
        self._tls = tls or ssl.create_default_context()

    @contextmanager
    def connected(self, url: str) -> Iterator["ReceiverConnection"]:
        """Open a connection for a few messages. Raises DeliveryFailed if there is no address to connect to."""
        target = Target.parse(url)
        with _deadline(self.within_s):
            addresses = self._addresses(target)
        pools = [self._pool(target, address, self.within_s / len(addresses)) for address in addresses]
        with closing(ReceiverConnection(pools, target, self.within_s)) as connection:
            yield connection

    def _addresses(self, target: Target) -> list[str]:
        """Return the host's addresses to be tried, in turn. Raises DeliveryFailed if any of them is not allowed."""
        if not target.is_https and not self._allow_private:
            raise DeliveryFailed("the URL must start with https://")
        try:
            found = self._resolve(target.host, target.port)
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise DeliveryFailed("the host has no address")
        # An IPv6 address may name its interface, behind a percent sign.
        refused = [address for address in found if not is_public(ip_address(address))]
        if refused and not self._allow_private:
            raise DeliveryFailed(f"the host has a private address, {refused[0]}")
        # Connect to those that were checked: a second look-up could give others. In random order, so that a dead one is
        # not the first of every turn; of both families, since one may have no route.
        tried = random.sample(found, min(_MOST_TRIED, len(found)))
        others = [address for address in found if ip_address(address).version != ip_address(tried[0]).version]
        return tried if not others or set(others) & set(tried) else [*tried[:-1], random.choice(others)]

    def _pool(self, target: Target, address: str, connect_s: float) -> HTTPConnectionPool:
        # urllib3 begins it anew with each read; only `_deadline` ends a response that trickles in.
        timeout = Timeout(connect=connect_s, read=self.within_s)
        if not target.is_https:
            return HTTPConnectionPool(address, target.port, timeout=timeout, maxsize=1)
        return _TlsPool(
            address,
            target.port,
            timeout=timeout,
            maxsize=1,
            ssl_context=self._tls,
            # The pool connects to an address; the certificate is for the name.
            server_hostname=target.host,
        )


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        """Connect, TLS included. To urllib3 a handshake's timeout is a read's, but nothing was sent by then."""
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "TLS handshake timed out") from error


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class ReceiverConnection:
    """A connection to one receiver, opened when it is first used, and anew if the receiver closed it.

    `pools` are one for each of its addresses, and none is used before those ahead of it have failed to connect.
    """

    def __init__(self, pools: list[HTTPConnectionPool], target: Target, within_s: float) -> None:
        self._pools = deque(pools)
        self._target = target
        self._within_s = within_s

    def send(self, message: Message, signature: dict[str, str]) -> None:
        """Send a message and wait for a status of 2xx. Follows no redirects. Raises DeliveryFailed."""
        # By itself, urllib3 would name the address that it connects to.
        headers = _HEADERS | signature | {"Host": self._target.authority}
        try:
            with _deadline(self._within_s):
                status, wait_s = self._exchange(message.body, headers)
        except SSLError as error:
            raise DeliveryFailed(f"TLS failed: {_reason(error)}") from None
        except (HTTPError, OSError) as error:
            # urllib3 calls a connection that was refused a timeout, too.
            if isinstance(error, Urllib3TimeoutError) and not isinstance(error, NewConnectionError):
                raise DeliveryFailed(_too_slow(self._within_s)) from None
            raise DeliveryFailed(f"the connection failed: {_reason(error)}") from None
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise DeliveryFailed(f"status {status}", wait_s, is_final=status == HTTPStatus.GONE)

    def close(self) -> None:
        for pool in self._pools:
            pool.close()

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, int]:
        """Return what `_post` does, from the first address that can be connected to."""
        failures: list[ConnectTimeoutError] = []
        while len(failures) < len(self._pools):
            try:
                return self._post(self._pools[0], body, headers)
            except ConnectTimeoutError as error:  # A refused connection too. Nothing was sent.
                failures.append(error)
                self._pools.rotate(-1)
        raise failures[0]

    def _post(self, pool: HTTPConnectionPool, body: bytes, headers: dict[str, str]) -> tuple[int, int]:
        """Return the status, and the seconds of `Retry-After`, 0 without."""
        response = pool.urlopen(
            "POST",
            self._target.path,
            body,
            headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
        )
        # After a complete read this returns the connection to the pool; otherwise it closes it.
        with closing(response):
            left = MAX_RESPONSE_BYTES
            while left > 0 and (piece := response.read(left)):
                left -= len(piece)
        return response.status, wait_s(response.headers.get("Retry-After", ""))


def wait_s(retry_after: str) -> int:
    """Return the seconds that a `Retry-After` asks for, from now on if it is a date; 0 for anything else."""
    if _SECONDS.fullmatch(retry_after):
        return int(retry_after)
    return whole_seconds_until(retry_after[:_LONGEST_DATE])


@contextmanager
def _deadline(within_s: float) -> Iterator[None]:
    with gevent.Timeout(within_s, DeliveryFailed(_too_slow(within_s))):
        yield


def _too_slow(within_s: float) -> str:
    return f"no response within {within_s:g} s"


def _reason(error: BaseException) -> str:
    """Return what went wrong in few words. Only the system's own words: a receiver's may be anything."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return str(inner.verify_message)
        if isinstance(inner, OSError) and inner.errno and not isinstance(inner, ssl.SSLError):
            return os.strerror(inner.errno)
        inner = inner.__cause__ or inner.__context__ or _argument(inner)
    return "it was closed early" if isinstance(error, ProtocolError) else type(error).__name__


def _argument(error: BaseException) -> BaseException | None:
    """Return the error that urllib3 wrapped without chaining it."""
    return next((argument for argument in error.args if isinstance(argument, BaseException)), None)
