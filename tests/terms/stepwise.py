"""Work that stops before each of its steps, whenever Redis or SQL is asked, and goes on, or dies, as the test wants."""

from collections.abc import Callable, Sequence
from typing import Any, Self

from greenlet import GreenletExit, getcurrent, greenlet

from seating.redis_store.calls import Argument
from seating.redis_store.connection import DirectCalls
from seating.storage.database import Database


class Job:
    """`work` up to its first step when it is made; each `go_on` takes it to the next one."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.steps: list[str] = []
        self.error: Exception | None = None
        self._greenlet = _JobGreenlet(self._run)
        self._work = work
        self.go_on()

    @property
    def is_over(self) -> bool:
        return bool(self._greenlet.dead)

    def go_on(self, steps: int = 1) -> None:
        for _ in range(steps):
            if not self.is_over:
                self._switch(self._greenlet.switch)

    def finish(self) -> Self:
        while not self.is_over:
            self.go_on()
        if self.error:
            raise self.error
        return self

    def kill(self) -> None:
        """As kill -9: nothing is cleared away."""
        if not self.is_over:
            self._switch(lambda: self._greenlet.throw(GreenletExit))

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001  # For who looks at the job.
            self.error = error

    def _switch(self, switch: Callable[[], Any]) -> None:
        self._greenlet.parent = getcurrent()
        step = switch()
        if not self.is_over:
            self.steps.append(step)


def stop_before(step: str) -> None:
    """Where a job is running; everybody else just goes on."""
    running = getcurrent()
    if isinstance(running, _JobGreenlet):
        assert running.parent
        running.parent.switch(step)


class _JobGreenlet(greenlet):
    pass


class StepwiseDatabase(Database):
    """Stops before every transaction."""

    def _run(self, engine: Any, work: Any, *args: Any, **kwargs: Any) -> Any:
        stop_before(f"SQL {work.__name__}")
        return super()._run(engine, work, *args, **kwargs)


class StepwiseCalls(DirectCalls):
    """Stops before every call to Redis."""

    def command(self, *words: Argument) -> Any:
        stop_before(str(words[0]))
        return super().command(*words)

    def commands(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        stop_before("commands")
        return super().commands(many)

    def commands_of_each(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        return self.commands(many)

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument], *, promises: bool = False) -> Any:
        stop_before(name)
        return super().script(name, keys, args, promises=promises)

    def scripts(self, name: str, keys_of_each: Sequence[Sequence[str]], args: Sequence[Argument]) -> list[Any]:
        stop_before(name)
        return super().scripts(name, keys_of_each, args)
