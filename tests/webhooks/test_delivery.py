"""Receivers fail in every way, and senders are killed: every change arrives at least once, in order, and signed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from seating.services.webhook_sender import WebhookSender
from seating.services.webhooks import Webhooks
from seating.storage.database import Database
from tests import forked
from tests.doors import TOKEN
from tests.one_process import OPERATOR, OneProcess, on_sqlite
from tests.servers import wait_until
from tests.system import clean_environment
from tests.webhooks import receiver as behaviour
from tests.webhooks.endpoint import add, deliver, is_done, new_sender, tick_for
from tests.webhooks.receiver import OK, Received, Receiver

_DOWN_S = float(os.environ.get("SEATING_RECEIVER_DOWN_S", "2"))
_WITHIN_S = 30 + 3 * _DOWN_S


@pytest.fixture
def listen() -> Iterator[Callable[..., Receiver]]:
    started: list[Receiver] = []

    def start(*answers: Any, **options: Any) -> Receiver:
        started.append(Receiver(*answers, **options))
        return started[-1]

    yield start
    for receiver in started:
        receiver.stop()


class Sender:
    """`seating sender` as a process, or without its checks, which takes half the time to start."""

    def __init__(self, folder: Path, database: Database, *, checked: bool) -> None:
        self.log = folder / "sender.log"
        environment = clean_environment() | {
            "SEATING_DATA_DIR": str(folder),
            "DATABASE_URL": database.url,
            "REDIS_URL": "redis://127.0.0.1:1",  # Nobody listens there: delivery does without.
            "WEBHOOK_ALLOW_PRIVATE": "true",
            "WEBHOOK_TIMEOUT_S": "1",
            "ADMIN_TOKEN": TOKEN,
        }
        command = ("seating", "sender") if checked else ("workers.sender",)
        self._process = forked.start(command, folder, environment, self.log)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(timeout=20)


@pytest.fixture
def start(tmp_path: Path, sale: OneProcess) -> Iterator[Callable[..., Sender]]:
    started: list[Sender] = []

    def begin(*, checked: bool = True) -> Sender:
        started.append(Sender(tmp_path, sale.database, checked=checked))
        return started[-1]

    yield begin
    for sender in started:
        sender.stop()


def _sell(sale: OneProcess, event: str, count: int) -> list[str]:
    """Sell `count` times and return the ids of the messages, in order."""
    receipts = [sale.buy(event, f"key-{sale.now(event).backlog.position}-{number}") for number in range(count)]
    sale.persist(event)
    return [f"msg_{event}.{receipt.id.position}" for receipt in receipts]


def _assert_all_came(receiver: Receiver, expected: list[str], secret: str) -> None:
    assert receiver.in_order == expected
    assert all(received.is_signed(secret) for received in receiver.requests)
    bodies: dict[str, bytes] = {}
    assert all(bodies.setdefault(received.id, received.body) == received.body for received in receiver.requests)


@on_sqlite
def test_receivers_that_fail_in_every_way(
    sale: OneProcess, listen: Callable[..., Receiver], start: Callable[..., Sender]
) -> None:
    """Each in a way of its own, twice in a row; the last one is down for a while, and back on its port."""
    elsewhere = listen()
    faults = [
        behaviour.status(500),
        behaviour.status(302, f"Location: {elsewhere.url()}\r\n"),
        behaviour.half,
        behaviour.hang_up,
        behaviour.silence,
        behaviour.drip,
    ]
    receivers = [listen(behaviour.ok, fault, fault) for fault in faults] + [listen()]
    event = sale.open(1_000)
    sale.persist(event)
    webhooks = [add(sale.database, receiver, event) for receiver in receivers]
    receivers[-1].stop()
    expected = _sell(sale, event, 8)
    sender = start()
    service = Webhooks(sale.database)
    refused = "the connection failed: Connection refused"
    wait_until(lambda: service.get(webhooks[-1].id).error == refused, _WITHIN_S)
    gevent.sleep(_DOWN_S)
    receivers[-1].start()
    wait_until(lambda: is_done(sale.database), _WITHIN_S, "everything to be delivered")
    for receiver, webhook in zip(receivers, webhooks, strict=True):
        _assert_all_came(receiver, expected, webhook.secret)
        assert receiver.answers == []
        assert service.get(webhook.id).failing_since_ms is None
    assert elsewhere.requests == []
    assert sender.stop() == 0


def test_a_sender_that_is_killed(
    sale: OneProcess, listen: Callable[..., Receiver], start: Callable[..., Sender]
) -> None:
    """Before the receiver answers, while it does, and right after: nothing changes but doubles."""
    senders: list[Sender] = []
    kills: list[str] = []

    def kill_before(receiver: Receiver, received: Received, connection: Any) -> None:
        kills.append(received.id)
        senders[-1].kill()

    def kill_half_way(receiver: Receiver, received: Received, connection: Any) -> None:
        connection.sendall(OK[:20])
        kill_before(receiver, received, connection)

    def kill_after(receiver: Receiver, received: Received, connection: Any) -> None:
        connection.sendall(OK)
        receiver.accepted.append(received)
        kill_before(receiver, received, connection)

    ok = behaviour.ok
    receiver = listen(ok, kill_before, ok, ok, kill_half_way, ok, ok, kill_after)
    events = [sale.open(100) for _ in range(2)]
    for event in events:
        sale.persist(event)
    webhook = add(sale.database, receiver)
    expected = {event: _sell(sale, event, 6) for event in events}
    for number in range(4):
        senders.append(start(checked=False))
        wait_until(lambda number=number: len(kills) > number or is_done(sale.database), 30)
    assert len(kills) == 3
    for event in events:
        own = [found for found in receiver.in_order if found.startswith(f"msg_{event}.")]
        assert own == expected[event]
    _assert_all_came(receiver, receiver.in_order, webhook.secret)
    assert len(receiver.ids) <= 12 + 3 * 6, "only what was sent since the cursor was last stored comes again"


class _Unguarded(WebhookSender):
    """Does without a claim."""

    def hold_claim(self, webhook_id: str) -> None:
        self.webhook(webhook_id)


def test_two_senders_at_once(sale: OneProcess, listen: Callable[..., Receiver]) -> None:
    """One has the claim. Without it both send the same, under the same ids, and nothing is skipped."""
    receiver = listen()
    event = sale.open(1_000)
    sale.persist(event)
    webhook = add(sale.database, receiver)
    senders = [new_sender(sale.another().database) for _ in range(2)]

    def both() -> bool:
        for sender in senders:
            sender.tick()
        return is_done(sale.database)

    expected = _sell(sale, event, 30)
    wait_until(both)
    assert receiver.ids == expected

    for sender in senders:
        sender.stop(5)
    senders = [new_sender(sale.another().database, kind=_Unguarded) for _ in range(2)]
    for _ in range(20):  # They may happen to take turns.
        expected += _sell(sale, event, 30)
        wait_until(both)
        if len(receiver.ids) > len(expected):
            break
    for sender in senders:
        sender.stop(5)
    assert len(receiver.ids) > len(expected), "without the claim, some come twice"
    assert receiver.in_order == expected
    assert all(received.is_signed(webhook.secret) for received in receiver.requests)


def test_a_claim_passes_on(sale: OneProcess, listen: Callable[..., Receiver]) -> None:
    """At once from a sender that stops, after a while from one that does not say so."""
    receiver = listen()
    event = sale.open(10)
    sale.persist(event)
    add(sale.database, receiver)
    first, second, third = (new_sender(sale.database, within_s=0.5) for _ in range(3))
    _sell(sale, event, 1)
    deliver(first)
    _sell(sale, event, 1)
    second.tick()
    first.stop(1)
    deliver(second)
    _sell(sale, event, 1)
    third.tick()
    gevent.sleep(0)
    assert not is_done(sale.database)
    deliver(third)
    assert len(receiver.ids) == len(receiver.in_order) == 3


@on_sqlite
@pytest.mark.parametrize("fault", [behaviour.silence, behaviour.drip, behaviour.status(500), behaviour.hang_up])
def test_one_receiver_holds_up_no_other(
    sale: OneProcess, listen: Callable[..., Receiver], fault: behaviour.Answering
) -> None:
    bad, good = listen(always=fault), listen()
    events = [sale.open(100) for _ in range(3)]
    for event in events:
        sale.persist(event)
    add(sale.database, bad)
    add(sale.database, good)
    sender = new_sender(sale.database, within_s=5)
    expected = [found for event in events for found in _sell(sale, event, 10)]
    tick_for(sender, lambda: len(good.ids) == 30, within_s=4)
    assert sorted(good.ids) == sorted(expected)
    assert bad.accepted == []
    sender.stop(0)


@on_sqlite
def test_one_event_holds_up_no_other(sale: OneProcess, listen: Callable[..., Receiver]) -> None:
    """A receiver that cannot take a message of one event gets those of another."""
    events = [sale.open(100) for _ in range(2)]

    def picky(receiver: Receiver, received: Received, connection: Any) -> None:
        refused = received.id.startswith(f"msg_{events[0]}.")
        (behaviour.status(422) if refused else behaviour.ok)(receiver, received, connection)
        if not refused:
            receiver.accepted.append(received)

    receiver = listen(always=picky)
    for event in events:
        sale.persist(event)
    add(sale.database, receiver)
    sender = new_sender(sale.database)
    first = sale.buy(events[0], "first")
    _sell(sale, events[0], 2)
    expected = _sell(sale, events[1], 3)
    tick_for(sender, lambda: receiver.ids == expected and len(receiver.requests) > 3)
    tried = [received.id for received in receiver.requests if received.id not in expected]
    assert set(tried) == {f"msg_{events[0]}.{first.id.position}"}


def test_after_three_days_it_is_paused(sale: OneProcess, listen: Callable[..., Receiver]) -> None:
    """Two seconds here. It is said in list, audit and log; what happens meanwhile waits until it is resumed."""
    receiver = listen(always=behaviour.status(503))
    event = sale.open(100)
    sale.persist(event)
    webhook = add(sale.database, receiver)
    expected = _sell(sale, event, 3)
    sender = new_sender(sale.database, retry_s=2)
    service = Webhooks(sale.database)
    tick_for(sender, lambda: service.get(webhook.id).state == "paused")
    tried = len(receiver.requests)
    assert 2 <= tried <= 4, "it waits longer each time"
    why = f"nothing of event {event} could be delivered for 2 s: status 503"
    assert service.get(webhook.id).webhook.paused_why == why
    (act,) = [found.act for found in sale.audit.page(None, 10).items if found.act.action == "webhook.pause"]
    assert (act.actor.name, act.target, act.after) == ("seating", webhook.id, "paused")
    expected += _sell(sale, event, 3)
    sender.tick()
    gevent.sleep(0.2)
    assert len(receiver.requests) == tried
    receiver.always = behaviour.ok
    service.resume(webhook.id, OPERATOR)
    deliver(sender)
    _assert_all_came(receiver, expected, webhook.secret)


def test_a_pause_and_a_removal_take_effect_in_the_middle(sale: OneProcess, listen: Callable[..., Receiver]) -> None:
    middles = {3: Event(), 93: Event()}

    def wait_in_the_middle(receiver: Receiver, received: Received, connection: Any) -> None:
        if middle := middles.get(len(receiver.in_order)):
            middle.wait()
        behaviour.ok(receiver, received, connection)
        receiver.accepted.append(received)

    receiver = listen(always=wait_in_the_middle)
    event = sale.open(1_000)
    sale.persist(event)
    webhook = add(sale.database, receiver)
    service = Webhooks(sale.database)
    sender = new_sender(sale.database)
    expected = _sell(sale, event, 90)
    tick_for(sender, lambda: len(receiver.in_order) == 3)
    service.pause(webhook.id, OPERATOR)
    middles[3].set()
    sender.tick()
    gevent.sleep(0.5)
    assert len(receiver.ids) < 90
    service.resume(webhook.id, OPERATOR)
    deliver(sender)
    assert receiver.in_order == expected
    _sell(sale, event, 90)
    tick_for(sender, lambda: len(receiver.in_order) == 93)
    service.remove(webhook.id, OPERATOR)
    middles[93].set()
    sender.tick()
    gevent.sleep(0.5)
    assert len(receiver.in_order) < 180
    assert service.all() == []


@on_sqlite
def test_a_response_is_read_no_further_than_needed(sale: OneProcess, listen: Callable[..., Receiver]) -> None:
    receiver = listen(behaviour.endless)
    event = sale.open(10)
    sale.persist(event)
    add(sale.database, receiver)
    _sell(sale, event, 2)
    deliver(new_sender(sale.database, within_s=10), within_s=5)
    assert len(receiver.requests) == 2
