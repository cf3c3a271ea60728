"""The same promises as AutoPipeline's, for one caller at a time."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
import redis
from redis.exceptions import ResponseError

from seating.domain.position import Position
from seating.redis_store import keys
from seating.redis_store.calls import RedisOutcomeUnknown, RedisUnavailable, Scripts
from seating.redis_store.connection import DirectCalls, ScriptConnection
from tests.redis_store.tcp_proxy import COUNT, Fault, TcpProxy
from tests.servers import RedisServer

SCRIPTS = Scripts(replaced={"count": "return {redis.call('hincrby', KEYS[1], ARGV[2], 1), ARGV[1]}"})


@pytest.fixture
def calls(proxy: TcpProxy) -> Iterator[DirectCalls]:
    calls = DirectCalls(ScriptConnection(proxy.url, SCRIPTS, reply_within_s=1.0))
    yield calls
    calls.close()


def count(calls: DirectCalls, field: str) -> Any:
    return calls.command("HINCRBY", "counts", field, 1)


def count_by_script(calls: DirectCalls, field: str) -> Any:
    return calls.script("count", ["counts"], [field])[0]


def told_not_sent() -> "pytest.RaisesExc[RedisUnavailable]":
    return pytest.raises(RedisUnavailable, check=lambda error: not isinstance(error, RedisOutcomeUnknown))


def test_commands_are_answered_in_order(calls: DirectCalls) -> None:
    assert calls.commands([("ECHO", number) for number in range(50)]) == [b"%d" % number for number in range(50)]


def test_a_failing_command_leaves_the_next_its_own_reply(calls: DirectCalls) -> None:
    with pytest.raises(ResponseError, match="unknown command"):
        calls.commands([("ECHO", "a"), ("NONSENSE",), ("ECHO", "b")])
    assert calls.command("ECHO", "c") == b"c"


def test_text_without_utf8_form_is_not_sent(calls: DirectCalls) -> None:
    with pytest.raises(UnicodeEncodeError):
        calls.commands([("HINCRBY", "counts", "a", 1), ("ECHO", "\ud800")])
    assert count(calls, "a") == 1


@pytest.mark.parametrize("fault", [Fault.DROP_REPLY, Fault.HALVE_REPLY, Fault.GARBLE_REPLY, Fault.HANG])
def test_without_a_reply_the_outcome_is_unknown_and_nothing_is_sent_again(
    calls: DirectCalls, proxy: TcpProxy, direct: "redis.Redis", fault: Fault
) -> None:
    calls.command("PING")
    proxy.strike(COUNT, fault)
    with pytest.raises(RedisOutcomeUnknown):
        count(calls, "a")
    assert calls.command("ECHO", "b") == b"b"
    assert direct.hgetall("counts") == {b"a": b"1"}


def test_a_refused_connection_means_not_sent(calls: DirectCalls, proxy: TcpProxy) -> None:
    proxy.refuse()
    with told_not_sent():
        count(calls, "a")
    proxy.accept()
    assert count(calls, "a") == 1


@pytest.mark.parametrize("moment", [COUNT, b"SCRIPT"])
def test_a_caller_interrupted_leaves_the_next_its_own_reply(calls: DirectCalls, proxy: TcpProxy, moment: bytes) -> None:
    """As a job's deadline interrupts it."""
    hang = proxy.strike(moment, Fault.HANG)
    interrupted = gevent.spawn(count, calls, "a")
    hang.wait()
    interrupted.kill()
    hang.release()
    assert calls.command("ECHO", "b") == b"b"


def test_a_caller_interrupted_while_scripts_are_loaded_again_leaves_no_run_id_behind(
    calls: DirectCalls, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    """The next connection may lead to another server."""
    calls.command("PING")
    direct.script_flush()
    hang = proxy.strike(b"SCRIPT", Fault.HANG)
    interrupted = gevent.spawn(count_by_script, calls, "a")
    hang.wait()
    interrupted.kill()
    assert calls._connection.run_id is None


def test_a_script_that_redis_forgot_is_loaded_and_runs_once(
    calls: DirectCalls, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    assert count_by_script(calls, "a") == 1
    direct.script_flush()
    assert count_by_script(calls, "b") == 1
    assert proxy.writes(b"EVALSHA") == 3


def test_a_script_whose_loading_breaks_off_did_not_run(
    calls: DirectCalls, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    calls.command("PING")
    direct.script_flush()
    proxy.strike(b"SCRIPT", Fault.DROP_REPLY)
    with told_not_sent():
        count_by_script(calls, "a")
    assert count_by_script(calls, "a") == 1


def test_refused_loading_leaves_the_next_its_own_reply(own_redis: RedisServer) -> None:
    calls = DirectCalls(ScriptConnection(own_redis.url, SCRIPTS))
    calls.command("PING")
    with own_redis.client() as direct:
        direct.script_flush()
        direct.execute_command("ACL", "SETUSER", "default", "-script|load")
        with told_not_sent():
            count_by_script(calls, "a")
        direct.execute_command("ACL", "SETUSER", "default", "+@all")
    assert calls.command("ECHO", "b") == b"b"


def test_scripts_are_told_their_caller(calls: DirectCalls, direct: "redis.Redis") -> None:
    """The server that it is connected to, and the highest position that it has seen of the event."""
    run_id = direct.info("server")["run_id"]
    assert calls.script("count", ["counts"], ["a"]) == [1, f"{run_id}:0-0".encode()]
    calls.seen.note("event", Position(9, 7))
    assert calls.script("count", [keys.inventory("event")], ["a"])[1] == f"{run_id}:9-7".encode()
