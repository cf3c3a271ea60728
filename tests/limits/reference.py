"""Both limiters said in the most obvious way. Times are in ms."""

from fractions import Fraction


class Windows:
    """Sliding windows of (limit, length): what has passed is in a list."""

    def __init__(self, windows: list[tuple[int, int]]) -> None:
        self.windows = windows
        self.passed: list[int] = []

    def would_pass(self, now: int) -> bool:
        return all(len(self._inside(now, length)) < limit for limit, length in self.windows)

    def take(self, now: int) -> bool:
        passes = self.would_pass(now)
        if passes:
            self.passed.append(now)
        return passes

    def left(self, now: int) -> list[int]:
        return [limit - len(self._inside(now, length)) for limit, length in self.windows]

    def _inside(self, now: int, length: int) -> list[int]:
        return [moment for moment in self.passed if now - length < moment]


class Bucket:
    """Tokens that come back evenly."""

    def __init__(self, capacity: int, tokens: int, period: int) -> None:
        self.capacity = capacity
        self.rate = Fraction(tokens, period)
        self.tokens = Fraction(capacity)
        self.filled_at: int | None = None

    def would_pass(self, now: int) -> bool:
        return self._tokens(now) >= 1

    def take(self, now: int) -> bool:
        self.tokens, self.filled_at = self._tokens(now), now
        passes = self.tokens >= 1
        if passes:
            self.tokens -= 1
        return passes

    def left(self, now: int) -> list[int]:
        return [int(self._tokens(now))]

    def _tokens(self, now: int) -> Fraction:
        elapsed = 0 if self.filled_at is None else now - self.filled_at
        return min(Fraction(self.capacity), self.tokens + elapsed * self.rate)
