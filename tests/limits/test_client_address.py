"""Whose request it is: the peer's, or what the trusted proxies say."""

import pytest
from flask import Flask, request

from seating.web.client_address import caller_address


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "caller"),
    [
        ("192.0.2.1", None, 0, "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], 0, "192.0.2.1"),
        ("192.0.2.1", None, 1, "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], 1, "203.0.113.9"),
        ("192.0.2.1", ["6.6.6.6, 203.0.113.9"], 1, "203.0.113.9"),
        ("192.0.2.1", ["6.6.6.6", "203.0.113.9"], 1, "203.0.113.9"),
        ("192.0.2.1", ["6.6.6.6, 203.0.113.9, 192.0.2.7"], 2, "203.0.113.9"),
        ("192.0.2.1", ["203.0.113.9"], 2, "203.0.113.9"),
        ("192.0.2.1", ["203.0.113.9:4711"], 1, "203.0.113.9"),
        ("192.0.2.1", ["[2001:db8:1:2:3::4]:4711"], 1, "2001:db8:1:2::/64"),
        ("192.0.2.1", ["unknown"], 1, "192.0.2.1"),
        ("192.0.2.1", [""], 1, "192.0.2.1"),
        ("192.0.2.1", ["x" * 5000], 1, "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", None, 0, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", None, 0, "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", None, 0, "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", None, 0, "192.0.2.1"),
        ("fe80::1%eth0", None, 0, "fe80::/64"),
        ("", None, 0, "unknown"),
    ],
)
def test_the_caller(peer: str, forwarded: list[str] | None, trusted: int, caller: str) -> None:
    headers = [("X-Forwarded-For", value) for value in forwarded or []]
    with Flask("test").test_request_context(headers=headers, environ_base={"REMOTE_ADDR": peer}):
        assert caller_address(request, trusted) == caller
