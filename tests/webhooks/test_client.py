"""Where webhooks go: to public addresses only, whatever a name means a moment later, and to the host that was meant."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from urllib3.util.connection import create_connection

from seating.domain.errors import InvalidRequest
from seating.domain.public_address import is_public
from seating.domain.webhook import Failing, Target, check_types, check_url
from seating.domain.webhook_message import Message, signed_headers
from seating.upstream.webhook_client import DeliveryFailed, WebhookClient, resolve
from tests.programs import program
from tests.webhooks import receiver as behaviour
from tests.webhooks.receiver import Receiver

_MESSAGE = Message("msg_demo.1-2", "loss", b"{}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


Tried = list[tuple[str, float]]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Tried:
    """The addresses that were connected to, each with the seconds for it. Those for documentation are silent."""
    tried: Tried = []

    def connect(address: tuple[str, int], timeout: float, **options: Any) -> Any:
        tried.append((address[0], timeout))
        if address[0].startswith(("192.0.2.", "2001:db8:")):
            raise TimeoutError
        return create_connection(address, timeout, **options)

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    return tried


@pytest.fixture
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses are tried in the order of the look-up."""
    monkeypatch.setattr("seating.upstream.webhook_client.random.sample", lambda found, count: found[:count])


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.0.0.1", False),
        ("198.18.0.1", False),
        ("203.0.113.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::7f00:1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("2002:808:808::", True),
        ("2001::1", False),
        ("2001:db8::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


def _send(client: WebhookClient, url: str) -> None:
    with client.connected(url) as connection:
        connection.send(_MESSAGE, signed_headers(("whsec_AAAA",), _MESSAGE.id, 1, _MESSAGE.body))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_no_spelling_of_this_machine_is_served(host: str, receiver: Receiver) -> None:
    """The system's own look-up decides what a spelling means."""
    client = WebhookClient(2, allow_private=False)
    with pytest.raises(DeliveryFailed, match=r"private address|no address"):
        _send(client, f"https://{host}:{receiver.port}/")
    assert receiver.requests == []


@pytest.mark.parametrize("count", [1, 9])
def test_one_private_address_among_public_ones_is_too_many(count: int, tried: Tried) -> None:
    """Wherever it is: also among those that would not be tried."""
    addresses = [*["8.8.8.8"] * count, "10.0.0.1", *["8.8.4.4"] * count]
    client = WebhookClient(2, allow_private=False, resolve=lambda *_: addresses)
    with pytest.raises(DeliveryFailed, match=r"private address, 10\.0\.0\.1"):
        _send(client, "https://shop.example/")
    assert tried == []


def test_a_name_is_looked_up_once(receiver: Receiver) -> None:
    """What was checked is what is connected to: the second answer of a name server would lead elsewhere."""
    answers = [["127.0.0.1"], ["192.0.2.1"]]
    client = WebhookClient(2, allow_private=True, resolve=lambda *_: answers.pop(0))
    url = receiver.url("/a/b?c=d%20e", host="shop.example")
    with client.connected(url) as connection:
        for _ in range(2):
            connection.send(_MESSAGE, {})
    assert [received.path for received in receiver.requests] == ["/a/b?c=d%20e"] * 2
    assert {received.headers["host"] for received in receiver.requests} == {f"shop.example:{receiver.port}"}
    assert len(answers) == 1


@pytest.mark.parametrize("addresses", [["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
def test_one_address_that_cannot_be_reached_is_no_failure(addresses: list[str], receiver: Receiver) -> None:
    """As for a sender without IPv6, whose receiver has both."""
    client = WebhookClient(20, allow_private=True, resolve=lambda *_: addresses)
    for _ in range(20):
        _send(client, receiver.url(host="shop.example"))
    assert len(receiver.accepted) == 20


@pytest.mark.usefixtures("in_order")
def test_an_address_that_is_silent_is_tried_once_for_its_part_of_the_time(receiver: Receiver, tried: Tried) -> None:
    client = WebhookClient(20, allow_private=True, resolve=lambda *_: ["192.0.2.1", "127.0.0.1"])
    with client.connected(receiver.url(host="shop.example")) as connection:
        for _ in range(2):
            connection.send(_MESSAGE, {})
    assert tried == [("192.0.2.1", 10), ("127.0.0.1", 10)]
    assert len(receiver.accepted) == 2


def test_of_many_addresses_each_turn_tries_four_others(tried: Tried) -> None:
    """A resolver that keeps its order would otherwise begin each turn at the same dead ones."""
    silent = [f"192.0.2.{number}" for number in range(1, 100)]
    client = WebhookClient(20, allow_private=True, resolve=lambda *_: silent)
    for _ in range(10):
        with pytest.raises(DeliveryFailed, match="no response within 20 s"):
            _send(client, "https://shop.example/")
    assert [within_s for _, within_s in tried] == [5] * 40
    turns = [frozenset(address for address, _ in tried[start : start + 4]) for start in range(0, 40, 4)]
    assert {len(turn) for turn in turns} == {4}
    assert len(set(turns)) > 1


def test_of_many_addresses_each_turn_tries_both_families(receiver: Receiver, tried: Tried) -> None:
    """One of them may have no route."""
    many = [*(f"2001:db8::{number}" for number in range(1, 9)), "127.0.0.1"]
    client = WebhookClient(20, allow_private=True, resolve=lambda *_: many)
    for _ in range(10):
        _send(client, receiver.url(host="shop.example"))
    assert len(receiver.accepted) == 10


def test_http_and_hosts_without_address_are_refused() -> None:
    with pytest.raises(DeliveryFailed, match="must start with https"):
        _send(WebhookClient(2, allow_private=False, resolve=lambda *_: ["8.8.8.8"]), "http://shop.example/")
    with pytest.raises(DeliveryFailed, match="no address"):
        _send(WebhookClient(5, allow_private=True), "https://nosuchhost.invalid/")
    with pytest.raises(DeliveryFailed, match="no address"):
        _send(WebhookClient(5, allow_private=True), f"https://{'x' * 80}.example/")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (behaviour.status(500), "status 500"),
        (behaviour.status(302, "Location: /\r\n"), "status 302"),
        (behaviour.half, "the connection failed: it was closed early"),
        (behaviour.hang_up, "the connection failed: it was closed early"),
        (behaviour.silence, "no response within 0.5 s"),
        (behaviour.drip, "no response within 0.5 s"),
    ],
)
def test_failures_are_told_apart(fault: behaviour.Answering, reason: str, receiver: Receiver) -> None:
    receiver.answers = [fault]
    client = WebhookClient(0.5, allow_private=True)
    with pytest.raises(DeliveryFailed) as failed:
        _send(client, receiver.url())
    assert str(failed.value) == reason
    _send(client, receiver.url())
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    ("code", "headers", "wait_s", "is_final"),
    [
        (410, "", 0, True),
        (503, "Retry-After: 90\r\n", 90, False),
        (503, "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", 0, False),
        (503, "Retry-After: -5\r\n", 0, False),
        (503, "Retry-After: 99999999999999999999\r\n", 0, False),
        (503, "Retry-After: 1 Jan 99999999999999 00:00:00 +0000\r\n", 0, False),
    ],
)
def test_what_a_receiver_asks_for(code: int, headers: str, wait_s: int, is_final: bool, receiver: Receiver) -> None:
    receiver.answers = [behaviour.status(code, headers)]
    with pytest.raises(DeliveryFailed) as failed:
        _send(WebhookClient(20, allow_private=True), receiver.url())
    assert (failed.value.wait_s, failed.value.is_final) == (wait_s, is_final)


def test_a_port_where_nobody_listens(receiver: Receiver) -> None:
    receiver.stop()
    with pytest.raises(DeliveryFailed, match="the connection failed: Connection refused"):
        _send(WebhookClient(2, allow_private=True), receiver.url())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of `shop.example`, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    name = ["-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example"]
    command = [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name]
    files = ["-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run([*command, *files], cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


def _tls(certificate: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of the receiver, and of a client that trusts it."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    return serving, ssl.create_default_context(cafile=str(certificate / "certificate.pem"))


@pytest.mark.usefixtures("in_order")
def test_an_address_that_accepts_and_is_silent_is_no_failure(certificate: Path) -> None:
    """Nothing of the message is sent before TLS is established."""
    serving, trusting = _tls(certificate)
    receiver = Receiver(tls=serving)

    def send(within_s: float, *addresses: str) -> None:
        client = WebhookClient(within_s, allow_private=True, resolve=lambda *_: [*addresses], tls=trusting)
        _send(client, receiver.url(host="shop.example"))

    try:
        with socket.create_server(("127.0.0.2", receiver.port)):
            send(6, "127.0.0.2", "127.0.0.1")
            assert len(receiver.accepted) == 1
            with pytest.raises(DeliveryFailed, match=r"no response within 0\.5 s"):
                send(0.5, "127.0.0.2")
        assert len(receiver.requests) == 1
    finally:
        receiver.stop()


def test_the_certificate_must_be_of_the_host_and_trusted(certificate: Path) -> None:
    serving, trusting = _tls(certificate)
    asked: list[str | None] = []
    serving.sni_callback = lambda _socket, name, _context: asked.append(name)
    receiver = Receiver(tls=serving)
    try:
        to = {"allow_private": True, "resolve": lambda *_: ["127.0.0.1"]}
        _send(WebhookClient(5, tls=trusting, **to), receiver.url(host="shop.example"))  # type: ignore[arg-type]
        assert (len(receiver.accepted), asked) == (1, ["shop.example"])
        with pytest.raises(DeliveryFailed, match="TLS failed: Hostname mismatch"):
            _send(WebhookClient(5, tls=trusting, **to), receiver.url(host="other.example"))  # type: ignore[arg-type]
        with pytest.raises(DeliveryFailed, match="TLS failed: self-signed certificate"):
            _send(WebhookClient(5, **to), receiver.url(host="shop.example"))  # type: ignore[arg-type]
        assert len(receiver.requests) == 1
    finally:
        receiver.stop()


def test_addresses_of_this_machine() -> None:
    assert "127.0.0.1" in resolve("localhost", 80)


def test_the_signature_is_that_of_the_specification() -> None:
    """The specification's own example."""
    headers = signed_headers(
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "visible ASCII"),
        ("https://", "valid host and port"),
        ("https:///x", "valid host and port"),
        ("ftp://shop.example/", "must start with https://"),
        ("http://shop.example/", "must start with https://"),
        ("https://user:secret@shop.example/", "must not have a user"),
        ("https://shop.example/#x", "fragment"),
        ("https://shop.example:0/", "valid host and port"),
        ("https://shop.example:99999/", "valid host and port"),
        ("https://shop.example:x/", "valid host and port"),
        ("https://[::1/", "valid host and port"),
        ("https://sh\\op.example/", "valid host and port"),
        ("https://shop.example/a b", "visible ASCII"),
        ("https://shöp.example/", "visible ASCII"),
        ("https://shop.example/\r\nX: y", "visible ASCII"),
        ("https://127.0.0.1/", "private address"),
        ("https://[fe80::1]/", "private address"),
        ("https://10.1.2.3/", "private address"),
        ("https://shop.example/" + "x" * 2_000, "2,000 characters"),
    ],
)
def test_urls_that_are_refused(url: str, fault: str) -> None:
    with pytest.raises(InvalidRequest, match=fault) as refused:
        check_url(url, allow_private=False)
    assert refused.value.facts["field"] == "url"


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("https://Shop.Example", Target(True, "shop.example", 443, "/"), "shop.example"),
        ("https://shop.example:8443/a?b=c", Target(True, "shop.example", 8443, "/a?b=c"), "shop.example:8443"),
        ("http://[2606:4700::1111]:80/", Target(False, "2606:4700::1111", 80, "/"), "[2606:4700::1111]"),
        ("http://localhost?x", Target(False, "localhost", 80, "/?x"), "localhost"),
    ],
)
def test_urls_that_are_taken(url: str, target: Target, authority: str) -> None:
    assert check_url(url, allow_private=True) == target
    assert target.authority == authority


def test_types_are_checked() -> None:
    assert check_types(["loss", "purchase.sold", "loss"]) == ("purchase.sold", "loss")
    with pytest.raises(InvalidRequest, match=r"Types: 'x' is none of purchase\.sold"):
        check_types(["x"])


def test_waits_between_attempts_double_up_to_five_minutes() -> None:
    failing, waits = None, []
    for _ in range(12):
        failing = Failing.after(failing, 1_000, "status 500")
        waits.append((failing.next_ms - 1_000) / 1_000)
    expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert all(abs(wait - about) <= about * 0.11 for wait, about in zip(waits, expected, strict=True))
    assert failing
    assert (failing.attempts, failing.since_ms) == (12, 1_000)
