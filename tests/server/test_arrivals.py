"""How long a request waits before the application begins: by the kernel's clock, or by a proxy that is trusted."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.server.conftest import Echo
from tests.servers import wait_until
from tests.web import connect, get, read_answer

Serve = Callable[..., Echo]

_STALL_S = 0.5


@contextmanager
def stalled(echo: Echo) -> Iterator[None]:
    """The only process stops for a while after the block."""
    (process,) = echo.workers()
    process.suspend()
    try:
        yield
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > _STALL_S, 2)
    finally:
        process.resume()


def waited(echo: Echo, since: str) -> tuple[float, float]:
    """How many requests waited, and how long in all."""
    name = "seating_http_wait_seconds"
    return echo.metric(f'{name}_count{{since="{since}"}}'), echo.metric(f'{name}_sum{{since="{since}"}}')


def test_requests_wait_from_their_first_byte(serve: Serve) -> None:
    """Not from the end of the one before: a client may think as long as it likes."""
    echo = serve()
    for lines in ((), ("X-Twice: 1", "X-Twice: 2")):  # One for each parser.
        _, before_s = waited(echo, "arrival")
        with connect(echo) as connection:
            with stalled(echo):  # The connection is not even accepted.
                connection.sendall(get("/pid", *lines))
            assert read_answer(connection).status == 200
            _, first_s = waited(echo, "arrival")
            assert first_s - before_s > _STALL_S * 0.9
            began = time.monotonic()
            wait_until(lambda began=began: time.monotonic() - began > _STALL_S, 2)
            connection.sendall(get("/pid", *lines))
            assert read_answer(connection).status == 200
            _, idle_s = waited(echo, "arrival")
            assert idle_s - first_s < _STALL_S
            with stalled(echo):
                connection.sendall(get("/pid", *lines))
            assert read_answer(connection).status == 200
            _, later_s = waited(echo, "arrival")
            assert later_s - idle_s > _STALL_S * 0.9


def test_a_trusted_proxy_says_when_they_arrived(serve: Serve) -> None:
    echo = serve(TRUSTED_PROXIES="127.0.0.0/8")
    now = time.time()
    unbelievable = (f"t={now - 3600:.3f}", f"t={now + 3600:.3f}", f"{now - 2:.3f}", f"t={now - 2:.0f}", "t=1e9", "")
    for stamp in unbelievable:
        ask_stamped(echo, stamp)
    assert waited(echo, "proxy") == (0, 0)
    ask_stamped(echo, f"t={time.time() - 2:.3f}")
    count, in_all_s = waited(echo, "proxy")
    assert count == 1
    assert 2 <= in_all_s < 5


def test_a_stranger_is_not_believed(serve: Serve) -> None:
    echo = serve(TRUSTED_PROXIES="10.0.0.0/8")
    ask_stamped(echo, f"t={time.time() - 2:.3f}")
    assert waited(echo, "proxy") == (0, 0)


def ask_stamped(echo: Echo, stamp: str) -> None:
    with connect(echo) as connection:
        connection.sendall(get("/pid", f"X-Request-Start: {stamp}"))
        assert read_answer(connection).status == 200
