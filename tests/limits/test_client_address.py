"""Whose request it is: the peer's, or what the trusted proxies say."""

from ipaddress import ip_network

import pytest
from flask import Flask, request

from seating.web.client_address import caller_address

_PROXY = "192.0.2.0/24"


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "caller"),
    [
        ("192.0.2.1", None, "", "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], "", "192.0.2.1"),
        ("198.51.100.1", ["203.0.113.9"], _PROXY, "198.51.100.1"),
        ("192.0.2.1", None, _PROXY, "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], _PROXY, "203.0.113.9"),
        ("::ffff:192.0.2.1", ["203.0.113.9"], _PROXY, "203.0.113.9"),
        ("192.0.2.1", ["6.6.6.6, 203.0.113.9"], _PROXY, "203.0.113.9"),
        ("192.0.2.1", ["6.6.6.6", "203.0.113.9"], _PROXY, "203.0.113.9"),
        ("192.0.2.1", ["6.6.6.6, 203.0.113.9, 192.0.2.7"], _PROXY, "203.0.113.9"),
        ("192.0.2.1", ["6.6.6.6, 203.0.113.9, 192.0.2.7"], "192.0.2.1/32", "192.0.2.7"),
        ("192.0.2.1", ["192.0.2.8, 192.0.2.7"], _PROXY, "192.0.2.8"),
        ("10.1.2.3", ["203.0.113.9, 192.0.2.7"], "10.0.0.0/8,192.0.2.0/24", "203.0.113.9"),
        ("192.0.2.1", ["203.0.113.9:4711"], _PROXY, "203.0.113.9"),
        ("192.0.2.1", ["[2001:db8:1:2:3::4]:4711"], _PROXY, "2001:db8:1:2::/64"),
        ("2001:db8::1", ["203.0.113.9"], "2001:db8::/64", "203.0.113.9"),
        ("192.0.2.1", ["unknown"], _PROXY, "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9, unknown, 192.0.2.7"], _PROXY, "192.0.2.7"),
        ("192.0.2.1", [""], _PROXY, "192.0.2.1"),
        ("192.0.2.1", ["x" * 5000], _PROXY, "192.0.2.1"),
        ("192.0.2.1", ["fe80::1%" + "x" * 5000], _PROXY, "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9:" + "1" * 5000], _PROXY, "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", None, "", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", None, "", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", None, "", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", None, "", "192.0.2.1"),
        ("fe80::1%eth0", None, "", "fe80::/64"),
        ("", None, "", "unknown"),
        ("", ["203.0.113.9"], _PROXY, "unknown"),
    ],
)
def test_the_caller(peer: str, forwarded: list[str] | None, trusted: str, caller: str) -> None:
    headers = [("X-Forwarded-For", value) for value in forwarded or []]
    proxies = [ip_network(network) for network in trusted.split(",") if network]
    with Flask("test").test_request_context(headers=headers, environ_base={"REMOTE_ADDR": peer}):
        assert caller_address(request, proxies) == caller
