"""What callers of one AutoPipeline are told, and what Redis then has done, over a line that fails."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.event
import pytest
import redis
from redis.exceptions import ResponseError

from seating.domain.position import Position
from seating.redis_store import keys
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import RedisOutcomeUnknown, RedisUnavailable, Scripts
from seating.redis_store.connection import ScriptConnection
from tests.redis_store.tcp_proxy import COUNT, Fault, Strike, TcpProxy
from tests.servers import RedisServer, wait_until

COUNT_SCRIPT = "return {redis.call('hincrby', KEYS[1], ARGV[2], ARGV[3]), ARGV[1]}"
SCRIPTS = Scripts(replaced={"count": COUNT_SCRIPT})

OpenPipeline = Callable[..., AutoPipeline]


@pytest.fixture
def open_pipeline(proxy: TcpProxy) -> Iterator[OpenPipeline]:
    """Not connected yet, with bounds of the test's choice."""
    opened: list[AutoPipeline] = []

    def open_one(url: str = proxy.url, reply_within_s: float = 5.0, **bounds: Any) -> AutoPipeline:
        opened.append(AutoPipeline(ScriptConnection(url, SCRIPTS, reply_within_s=reply_within_s), **bounds))
        return opened[-1]

    yield open_one
    for pipeline in opened:
        pipeline.close()


@pytest.fixture
def pipeline(open_pipeline: OpenPipeline) -> AutoPipeline:
    """Connected, with default bounds."""
    pipeline = open_pipeline()
    assert answers(pipeline)
    return pipeline


def run_id(pipeline: AutoPipeline) -> str | None:
    """Of the server that the pipeline is connected to."""
    return pipeline._connection.run_id


def answers(pipeline: AutoPipeline) -> bool:
    try:
        return bool(pipeline.command("PING") == b"PONG")
    except RedisUnavailable:
        return False


def count(pipeline: AutoPipeline, field: str, by: int = 1) -> "gevent.Greenlet[..., int]":
    return gevent.spawn(pipeline.command, "HINCRBY", "counts", field, by)


def count_by_script(pipeline: AutoPipeline, field: str, by: int = 1) -> "gevent.Greenlet[..., list[Any]]":
    return gevent.spawn(pipeline.script, "count", ["counts"], [field, by])


def counts(direct: "redis.Redis") -> dict[str, int]:
    return {field.decode(): int(total) for field, total in direct.hgetall("counts").items()}


def release_each_after(hangs: list[Strike], seconds: float) -> None:
    for hang in hangs:
        hang.wait()
        gevent.sleep(seconds)
        hang.release()


def told_not_sent() -> "pytest.RaisesExc[RedisUnavailable]":
    return pytest.raises(RedisUnavailable, check=lambda error: not isinstance(error, RedisOutcomeUnknown))


def told_outcome_unknown() -> "pytest.RaisesExc[RedisOutcomeUnknown]":
    return pytest.raises(RedisOutcomeUnknown)


# Sharing


def test_each_caller_gets_its_own_reply(pipeline: AutoPipeline) -> None:
    callers = [gevent.spawn(pipeline.command, "ECHO", str(number)) for number in range(300)]
    assert [caller.get(timeout=10) for caller in callers] == [str(number).encode() for number in range(300)]


def test_commands_are_carried_out_and_answered_in_order(pipeline: AutoPipeline, direct: "redis.Redis") -> None:
    assert pipeline.commands([("RPUSH", "list", number) for number in range(100)]) == list(range(1, 101))
    assert direct.lrange("list", 0, -1) == [str(number).encode() for number in range(100)]


def test_no_commands_get_no_replies(pipeline: AutoPipeline) -> None:
    assert pipeline.commands([]) == []


def test_calls_of_the_same_moment_share_one_write(pipeline: AutoPipeline, proxy: TcpProxy) -> None:
    batches, calls = pipeline.batches, pipeline.calls
    gevent.joinall([count(pipeline, str(number)) for number in range(100)], raise_error=True)
    assert (pipeline.batches - batches, pipeline.calls - calls) == (1, 100)
    assert proxy.writes(COUNT) == 1


def test_calls_gather_while_a_batch_is_in_flight(pipeline: AutoPipeline, proxy: TcpProxy) -> None:
    hang = proxy.strike(b"FIRST", Fault.HANG)
    callers = [count(pipeline, "FIRST")]
    hang.wait()
    callers += [count(pipeline, str(number)) for number in range(50)]
    gevent.idle()
    hang.release()
    gevent.joinall(callers, raise_error=True)
    assert proxy.writes(COUNT) == 2


def test_a_failing_command_fails_alone(pipeline: AutoPipeline, proxy: TcpProxy) -> None:
    pipeline.command("HSET", "counts", "text", "x")
    before, failing, after = (count(pipeline, field) for field in ("a", "text", "b"))
    with pytest.raises(ResponseError, match="not an integer"):
        failing.get(timeout=10)
    assert (before.get(timeout=10), after.get(timeout=10)) == (1, 1)
    assert proxy.writes(COUNT) == 1


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("command", ("ECHO", "\ud800")),
        ("commands", ([("PING",), ("ECHO", "\ud800")],)),
        ("script", ("count", ["\ud800"], ["a", 1])),
        ("script", ("count", ["counts"], ["\ud800", 1])),
    ],
)
def test_text_without_utf8_form_fails_its_own_caller_only(
    pipeline: AutoPipeline, method: str, arguments: tuple[Any, ...]
) -> None:
    neighbour = count(pipeline, "a")
    with pytest.raises(UnicodeEncodeError):
        gevent.spawn(getattr(pipeline, method), *arguments).get(timeout=10)
    assert neighbour.get(timeout=10) == 1


def test_an_unknown_script_fails_its_own_caller_only(pipeline: AutoPipeline) -> None:
    neighbour = count(pipeline, "a")
    with pytest.raises(KeyError, match="no such script"):
        gevent.spawn(pipeline.script, "no such script", [], []).get(timeout=10)
    assert neighbour.get(timeout=10) == 1


def test_what_is_no_argument_fails_its_own_caller_only(pipeline: AutoPipeline) -> None:
    neighbour = count(pipeline, "a")
    with pytest.raises(TypeError):
        gevent.spawn(pipeline.command, "ECHO", True).get(timeout=10)
    assert neighbour.get(timeout=10) == 1


# Bounds


def test_a_full_queue_refuses_at_once(open_pipeline: OpenPipeline, proxy: TcpProxy, direct: "redis.Redis") -> None:
    pipeline = open_pipeline(max_queued=3)
    hang = proxy.strike(b"FIRST", Fault.HANG)
    callers = [count(pipeline, "FIRST")]
    hang.wait()
    callers += [count(pipeline, f"queued {number}") for number in range(3)]
    gevent.idle()
    with told_not_sent():
        count(pipeline, "one too many").get(timeout=1)
    hang.release()
    gevent.joinall(callers, raise_error=True)
    assert counts(direct) == {"FIRST": 1, "queued 0": 1, "queued 1": 1, "queued 2": 1}


def test_a_batch_has_at_most_max_batch_calls(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(max_batch=10)
    gevent.joinall([count(pipeline, str(number)) for number in range(21)], raise_error=True)
    assert (pipeline.batches, pipeline.calls) == (3, 21)


def test_a_batch_ends_when_it_has_max_batch_bytes(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline(max_batch_bytes=1000)
    callers = [gevent.spawn(pipeline.command, "ECHO", "x" * 400) for _ in range(7)]
    gevent.joinall(callers, raise_error=True)
    assert (pipeline.batches, pipeline.calls) == (3, 7)


# A line that fails


@pytest.mark.parametrize("fault", [Fault.DROP_REPLY, Fault.HALVE_REPLY, Fault.GARBLE_REPLY, Fault.HANG])
def test_without_a_reply_the_outcome_is_unknown_and_nothing_is_sent_again(
    open_pipeline: OpenPipeline, proxy: TcpProxy, direct: "redis.Redis", fault: Fault
) -> None:
    pipeline = open_pipeline(reply_within_s=0.2)
    wait_until(lambda: answers(pipeline))
    proxy.strike(COUNT, fault)
    with told_outcome_unknown():
        count(pipeline, "a").get(timeout=10)
    wait_until(lambda: answers(pipeline))
    assert counts(direct) == {"a": 1}
    assert proxy.writes(COUNT) == 1


def test_a_lost_request_has_an_unknown_outcome_and_is_not_sent_again(
    pipeline: AutoPipeline, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    proxy.strike(COUNT, Fault.LOSE_REQUEST)
    with told_outcome_unknown():
        count(pipeline, "a").get(timeout=10)
    assert answers(pipeline)
    assert counts(direct) == {}


def test_replies_that_came_before_the_line_broke_count(
    pipeline: AutoPipeline, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    proxy.strike(COUNT, Fault.HALVE_REPLY)
    callers = [count(pipeline, str(number)) for number in range(10)]
    gevent.joinall(callers)
    assert [caller.value for caller in callers[:5]] == [1] * 5
    assert [type(caller.exception) for caller in callers[5:]] == [RedisOutcomeUnknown] * 5
    assert counts(direct) == {str(number): 1 for number in range(10)}


def test_a_refused_connection_means_not_sent(open_pipeline: OpenPipeline, proxy: TcpProxy) -> None:
    pipeline = open_pipeline()
    proxy.refuse()
    with told_not_sent():
        count(pipeline, "a").get(timeout=10)
    proxy.accept()
    assert count(pipeline, "a").get(timeout=10) == 1


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", [b"CLIENT", b"SCRIPT"])
def test_a_connection_that_breaks_before_it_is_ready_means_not_sent(
    open_pipeline: OpenPipeline, proxy: TcpProxy, step: bytes, fault: Fault
) -> None:
    pipeline = open_pipeline(reply_within_s=0.2)
    proxy.strike(step, fault)
    with told_not_sent():
        count(pipeline, "a").get(timeout=10)
    wait_until(lambda: answers(pipeline))
    assert proxy.writes(COUNT) == 0


def test_works_again_after_the_server_was_away(pipeline: AutoPipeline, proxy: TcpProxy) -> None:
    proxy.refuse()
    with pytest.raises(RedisUnavailable):
        count(pipeline, "a").get(timeout=10)
    with told_not_sent():
        count(pipeline, "b").get(timeout=10)
    assert run_id(pipeline) is None
    proxy.accept()
    assert count(pipeline, "c").get(timeout=10) == 1


def test_a_connection_that_ended_while_idle_is_replaced_before_anything_is_sent(
    open_pipeline: OpenPipeline, redis_url: str, direct: "redis.Redis"
) -> None:
    pipeline = open_pipeline(redis_url)
    assert count(pipeline, "a").get(timeout=10) == 1
    direct.client_kill_filter(_type="normal", skipme=True)
    assert count(pipeline, "a").get(timeout=10) == 2


# Giving up


def test_a_call_given_up_in_the_queue_is_never_carried_out(
    open_pipeline: OpenPipeline, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    pipeline = open_pipeline(patience_s=0.2)
    wait_until(lambda: answers(pipeline))
    hang = proxy.strike(b"FIRST", Fault.HANG)
    first = count(pipeline, "FIRST")
    hang.wait()
    with told_not_sent():
        count(pipeline, "queued").get(timeout=10)
    hang.release()
    wait_until(lambda: answers(pipeline))
    assert first.ready()
    assert counts(direct) == {"FIRST": 1}


def test_a_call_given_up_while_connecting_is_never_carried_out(
    open_pipeline: OpenPipeline, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    pipeline = open_pipeline(patience_s=0.2)
    hang = proxy.strike(b"SCRIPT", Fault.HANG)
    with told_not_sent():
        count(pipeline, "a").get(timeout=10)
    hang.release()
    wait_until(lambda: run_id(pipeline))
    assert pipeline.batches == 0
    wait_until(lambda: answers(pipeline))
    assert counts(direct) == {}


def test_a_greenlet_killed_in_the_queue_takes_its_calls_along(
    pipeline: AutoPipeline, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    hang = proxy.strike(b"FIRST", Fault.HANG)
    first = count(pipeline, "FIRST")
    hang.wait()
    killed = gevent.spawn(pipeline.commands, [("HINCRBY", "counts", f"killed {number}", 1) for number in range(3)])
    neighbour = count(pipeline, "neighbour")
    gevent.idle()
    killed.kill()
    hang.release()
    assert (first.get(timeout=10), neighbour.get(timeout=10)) == (1, 1)
    assert counts(direct) == {"FIRST": 1, "neighbour": 1}


def test_a_call_given_up_in_flight_has_an_unknown_outcome(
    open_pipeline: OpenPipeline, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    pipeline = open_pipeline(patience_s=0.2)
    wait_until(lambda: answers(pipeline))
    hang = proxy.strike(COUNT, Fault.HANG)
    with told_outcome_unknown():
        count(pipeline, "a").get(timeout=10)
    hang.release()
    wait_until(lambda: answers(pipeline))
    assert counts(direct) == {"a": 1}
    assert proxy.writes(COUNT) == 1


def test_a_greenlet_killed_in_flight_disturbs_nobody(
    pipeline: AutoPipeline, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    hang = proxy.strike(COUNT, Fault.HANG)
    before, killed, after = (count(pipeline, field, by) for field, by in (("a", 1), ("b", 2), ("c", 3)))
    hang.wait()
    killed.kill()
    hang.release()
    assert (before.get(timeout=10), after.get(timeout=10)) == (1, 3)
    assert counts(direct) == {"a": 1, "b": 2, "c": 3}
    assert proxy.writes(COUNT) == 1


def test_patience_is_for_all_commands_of_a_caller_together(open_pipeline: OpenPipeline, proxy: TcpProxy) -> None:
    pipeline = open_pipeline(patience_s=0.3, max_batch=1)
    wait_until(lambda: answers(pipeline))
    words = [f"WORD {number}" for number in range(6)]
    hangs = [proxy.strike(word.encode(), Fault.HANG) for word in words]
    caller = gevent.spawn(pipeline.commands, [("ECHO", word) for word in words])
    slow_line = gevent.spawn(release_each_after, hangs, 0.1)
    with pytest.raises(RedisUnavailable):
        caller.get(timeout=10)
    slow_line.kill()


def test_close_tells_everybody_at_once(pipeline: AutoPipeline, proxy: TcpProxy) -> None:
    hang = proxy.strike(COUNT, Fault.HANG)
    in_flight = count(pipeline, "a")
    hang.wait()
    queued = count(pipeline, "b")
    gevent.idle()
    pipeline.close()
    with told_outcome_unknown():
        in_flight.get(timeout=1)
    for caller in (queued, count(pipeline, "too late")):
        with told_not_sent():
            caller.get(timeout=1)


# Scripts and the server's run_id


def test_scripts_that_redis_forgot_are_loaded_and_run_once(
    pipeline: AutoPipeline, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    direct.script_flush()
    callers = [count(pipeline, "a"), count_by_script(pipeline, "b"), count(pipeline, "c")]
    callers += [count_by_script(pipeline, "d"), count(pipeline, "e")]
    gevent.joinall(callers, raise_error=True)
    assert counts(direct) == dict.fromkeys("abcde", 1)
    assert (proxy.writes(COUNT), proxy.writes(b"EVALSHA")) == (1, 2)


def test_a_script_whose_loading_breaks_off_did_not_run(
    pipeline: AutoPipeline, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    direct.script_flush()
    proxy.strike(b"SCRIPT", Fault.DROP_REPLY)
    neighbour, script = count(pipeline, "a"), count_by_script(pipeline, "b")
    with told_not_sent():
        script.get(timeout=10)
    assert neighbour.get(timeout=10) == 1
    assert count_by_script(pipeline, "c").get(timeout=10)[0] == 1
    assert counts(direct) == {"a": 1, "c": 1}


def test_a_script_that_did_not_run_is_sent_again_though_the_rest_of_its_batch_got_no_reply(
    pipeline: AutoPipeline, proxy: TcpProxy, direct: "redis.Redis"
) -> None:
    direct.script_flush()
    proxy.strike(b"EVALSHA", Fault.HALVE_REPLY)
    script, neighbour = count_by_script(pipeline, "a"), gevent.spawn(pipeline.command, "ECHO", "x" * 200)
    assert script.get(timeout=10)[0] == 1
    with told_outcome_unknown():
        neighbour.get(timeout=10)
    assert counts(direct) == {"a": 1}


@pytest.mark.parametrize("moment", [b"EVALSHA", b"SCRIPT"])
def test_a_script_given_up_before_it_could_be_sent_again_never_runs(
    pipeline: AutoPipeline, proxy: TcpProxy, direct: "redis.Redis", moment: bytes
) -> None:
    direct.script_flush()
    hang = proxy.strike(moment, Fault.HANG)
    script = count_by_script(pipeline, "a")
    hang.wait()
    script.kill()
    hang.release()
    assert answers(pipeline)
    assert counts(direct) == {}
    assert proxy.writes(b"EVALSHA") == 1


def test_scripts_are_told_their_caller(pipeline: AutoPipeline, direct: "redis.Redis") -> None:
    """The server that it is connected to, and the highest position that it has seen of the event."""
    server = direct.info("server")["run_id"]
    assert run_id(pipeline) == server
    assert count_by_script(pipeline, "a").get(timeout=10) == [1, f"{server}:0-0".encode()]
    for position in (Position(9, 7), Position(9, 6), Position(8, 99)):
        pipeline.seen.note("event", position)
    told = [pipeline.script("count", [keys.inventory(event)], ["a", 1])[1] for event in ("event", "another")]
    assert told == [f"{server}:9-7".encode(), f"{server}:0-0".encode()]


def test_what_was_learnt_on_a_new_connection_is_told_to_all_who_waited_for_it(
    open_pipeline: OpenPipeline, redis_url: str, direct: "redis.Redis"
) -> None:
    pipeline = open_pipeline(redis_url)
    learnt = iter((Position(5, 1), Position(6, 1)))
    pipeline.on_new_connection(lambda: pipeline.seen.note("event", next(learnt)))
    for seen in ("5-1", "6-1"):
        waiting = [gevent.spawn(pipeline.script, "count", [keys.inventory("event")], ["a", 1]) for _ in range(3)]
        assert {one.get(timeout=10)[1].decode().partition(":")[2] for one in waiting} == {seen}
        direct.client_kill_filter(_type="normal", skipme=True)


def test_learning_that_hangs_holds_nobody_up_for_long(open_pipeline: OpenPipeline) -> None:
    pipeline = open_pipeline()
    pipeline.on_new_connection(gevent.event.Event().wait, within_s=0.1)
    assert count(pipeline, "a").get(timeout=5) == 1


def test_a_restarted_server_has_another_run_id(open_pipeline: OpenPipeline, own_redis: RedisServer) -> None:
    pipeline = open_pipeline(own_redis.url)
    assert answers(pipeline)
    before = run_id(pipeline)
    own_redis.kill()
    own_redis.start()
    wait_until(lambda: answers(pipeline))
    now = own_redis.client().info("server")["run_id"]
    assert run_id(pipeline) == now != before
    assert count_by_script(pipeline, "a").get(timeout=10) == [1, f"{now}:0-0".encode()]


# All of it at once


@pytest.mark.parametrize("seed", range(3))
def test_over_a_line_that_fails_at_random_nothing_is_done_twice_or_denied(
    open_pipeline: OpenPipeline, proxy: TcpProxy, direct: "redis.Redis", seed: int
) -> None:
    """Every call adds a number of its own, so a reply to another call, or a second execution, shows."""
    chance = random.Random(seed)
    pipeline = open_pipeline(reply_within_s=0.6, patience_s=1.0, max_batch=8, max_queued=280)
    told: dict[int, str] = {}

    def call(number: int) -> None:
        told[number] = "unknown"
        try:
            if number % 2:
                reply = pipeline.command("HINCRBY", "counts", number, number)
            else:
                reply = pipeline.script("count", ["counts"], [number, number])[0]
        except RedisOutcomeUnknown:
            return
        except RedisUnavailable:
            told[number] = "not sent"
            gevent.sleep(0.01)
        else:
            assert reply == number
            told[number] = "done"

    def call_one_after_the_other(first: int) -> None:
        for number in range(first, first + 10):
            call(number)

    # A new connection loads all scripts, in ten pieces or so, and is to survive that now and then.
    proxy.random_fault = lambda: chance.choice(list(Fault)) if chance.random() < 0.05 else None
    callers = [gevent.spawn(call_one_after_the_other, first) for first in range(1, 3001, 10)]
    for victim in chance.sample(callers, 60):
        gevent.sleep(0.005)
        victim.kill()
        if chance.random() < 0.2:
            direct.script_flush()
    gevent.joinall(callers, raise_error=True)
    pipeline.close()

    done = counts(direct)
    assert {int(number) for number, total in done.items() if total != int(number)} == set()
    assert {number for number, answer in told.items() if answer == "done" and str(number) not in done} == set()
    assert {number for number, answer in told.items() if answer == "not sent" and str(number) in done} == set()
    assert set(told.values()) == {"done", "unknown", "not sent"}
