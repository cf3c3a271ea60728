"""What an origin is, which of them is our own, and how a client addressed us."""

import pytest
from flask import Flask, request

from seating.config import Settings
from seating.domain.origin import Authority, Origin
from seating.web import origins
from seating.web.services import attach
from tests.web import table


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("https://shop.example", "HTTPS://Shop.Example"),
        ("https://shop.example", "https://shop.example:443"),
        ("http://shop.example", "http://shop.example:80"),
        ("http://shop.example:0080", "http://shop.example"),
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ("https://MÜNCHEN.example:8443", "https://xn--mnchen-3ya.example:8443"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080"),
        ("http://[2001:DB8::A]", "http://[2001:db8:0::a]:80"),
        ("http://my_host", "http://MY_HOST"),
    ],
)
def test_the_same_origin(text: str, same: str) -> None:
    assert Origin.parse(text) == Origin.parse(same)


@pytest.mark.parametrize(
    "other",
    [
        "http://shop.example",
        "https://shop.example:80",
        "https://shop.example:8443",
        "https://www.shop.example",
        "https://shop.example.evil.example",
        "https://shop-example",
    ],
)
def test_another_origin(other: str) -> None:
    assert Origin.parse(other) != Origin.parse("https://shop.example")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "*",
        "shop.example",
        "//shop.example",
        "ftp://shop.example",
        "file://",
        "https://",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example?",
        "https://shop.example#",
        "https://user@shop.example",
        "https://shop.example:",
        "https://shop.example:0",
        "https://shop.example:65536",
        "https://shop.example:٤",
        "https://*.shop.example",
        "https://shop.example https://other.example",
        " https://shop.example",
        "https://shop%2eexample",
        "https://[::1",
        "https://[]",
        "https://[1.2.3.4]",
        "https://::1",
        "https://xn--\udc80.example",
        "https://-.\xff\xfe.example",
        "https://" + "a" * 5000,
    ],
)
def test_no_origin(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any kind
        Origin.parse(text)


def test_a_host_need_not_name_its_port() -> None:
    assert Authority.parse("Shop.Example") == ("shop.example", None)
    assert Authority.parse("[::1]:80") == ("[::1]", 80)


def served(proxies: str | None) -> Flask:
    app = Flask("test")
    settings = Settings(trusted_proxies=proxies, live_origins="https://shop.example")  # type: ignore[arg-type]
    attach(app, settings, None, None)  # type: ignore[arg-type]
    return app


DIRECT, BEHIND_A_PROXY = served(None), served("127.0.0.0/8")
TLS = {"X-Forwarded-Proto": "https"}
PEER = {"REMOTE_ADDR": "127.0.0.1"}


@pytest.mark.parametrize(
    ("origin", "headers", "direct", "proxied"),
    table(
        {
            "as asked": ("http://seating.test:3000", {"Host": "seating.test:3000"}, True, True),
            "in other letters": ("http://SEATING.test", {"Host": "Seating.Test"}, True, True),
            "a default port, named by one": ("http://seating.test", {"Host": "seating.test:80"}, True, True),
            "another host": ("http://other.test", {"Host": "seating.test"}, False, False),
            "another port": ("http://seating.test:81", {"Host": "seating.test:82"}, False, False),
            "an unnamed port": ("http://seating.test:3000", {"Host": "seating.test"}, False, True),
            "an IPv6 address": ("http://[::1]:3000", {"Host": "[0::1]:3000"}, True, True),
            "no host": ("http://seating.test", {"Host": ""}, False, False),
            "nonsense for a host": ("http://seating.test", {"Host": "a b"}, False, False),
            "TLS that no one names": ("https://seating.test", {"Host": "seating.test"}, False, True),
            "TLS that is named": ("https://seating.test", {"Host": "seating.test", **TLS}, False, True),
            "no TLS though it is named": ("http://seating.test", {"Host": "seating.test", **TLS}, True, False),
            "named by the nearest proxy": (
                "https://seating.test",
                {"Host": "seating.test", "X-Forwarded-Proto": "http, HTTPS"},
                False,
                True,
            ),
            "a host that is named": (
                "http://public.test",
                {"Host": "10.0.0.7:3000", "X-Forwarded-Host": "public.test"},
                False,
                True,
            ),
            "the inner host though another is named": (
                "http://10.0.0.7:3000",
                {"Host": "10.0.0.7:3000", "X-Forwarded-Host": "public.test"},
                True,
                False,
            ),
            "listed": ("https://shop.example:443", {"Host": "seating.test"}, True, True),
            "no origin": ("null", {"Host": "seating.test"}, False, False),
        }
    ),
)
def test_who_may_connect(origin: str, headers: dict[str, str], direct: bool, proxied: bool) -> None:
    for app, expected in ((DIRECT, direct), (BEHIND_A_PROXY, proxied)):
        with app.test_request_context(headers={**headers, "Origin": origin}, environ_base=PEER):
            assert origins.may_connect(request, frozenset({Origin.parse("https://shop.example")})) is expected


def test_all_may_connect_where_all_are_listed_and_so_may_what_is_no_page() -> None:
    with DIRECT.test_request_context(headers={"Origin": "null"}):
        assert origins.may_connect(request, "*")
    with DIRECT.test_request_context():
        assert origins.may_connect(request, frozenset())


@pytest.mark.parametrize(
    ("headers", "direct", "proxied"),
    [
        ({}, ("http", "seating.test"), (None, "seating.test")),
        (TLS, ("http", "seating.test"), ("https", "seating.test")),
        ({"X-Forwarded-Proto": "wss"}, ("http", "seating.test"), ("https", "seating.test")),
        ({"X-Forwarded-Proto": "gopher"}, ("http", "seating.test"), (None, "seating.test")),
        ({"X-Forwarded-Host": "a.test, b.test:8443"}, ("http", "seating.test"), (None, "b.test:8443")),
    ],
)
def test_how_a_client_came(headers: dict[str, str], direct: tuple[str, str], proxied: tuple[str, str]) -> None:
    for app, expected in ((DIRECT, direct), (BEHIND_A_PROXY, proxied)):
        with app.test_request_context(headers={"Host": "seating.test", **headers}, environ_base=PEER):
            assert (origins.client_scheme(request), origins.client_host(request)) == expected
