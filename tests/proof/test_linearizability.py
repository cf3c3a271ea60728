"""The search says which answers about one seat can be explained by an order of effects, and which cannot."""

import pytest

from tests.proof.linearizability import search
from tests.proof.seat_register import INFINITE, SeatCall, SeatStatus

_SECOND = 1_000_000_000


def _call(kind: str, invoked: float, end: float = INFINITE, by: str = "", hold: str = "", letter: str = "") -> SeatCall:
    return SeatCall(kind, invoked, end, by, hold, letter)


def _loss(begun: float, ended: float, *before: SeatStatus) -> SeatCall:
    return SeatCall("loss", begun, ended, before=(SeatStatus(), *before))


EXPLAINED = {
    "two at once, the second refused": [_call("buy", 1, 4, "A"), _call("refused", 2, 3)],
    "refused before the buyer had the answer": [_call("buy", 1, 9, "A"), _call("refused", 2, 3)],
    "sold again after a cancellation": [_call("buy", 1, 2, "A"), _call("cancel", 3, 6, "A"), _call("buy", 4, 5, "B")],
    "unanswered, and it has the seat": [_call("buy", 1, INFINITE, "A"), SeatCall.final(SeatStatus("s", "A"))],
    "unanswered, and it has not": [_call("buy", 1, INFINITE, "A"), SeatCall.final(SeatStatus())],
    "unanswered for long": [_call("buy", 1, INFINITE, "A"), _call("hold", 2, 3, "H"), _call("release", 4, 5, "H")],
    "held, then bought by its holder": [_call("hold", 1, 2, "H"), _call("buy_held", 3, 4, "A", "H")],
    "over, then sold to another": [_call("hold", 1, 2, "H"), _call("expire", 5, by="H"), _call("buy", 6, 7, "B")],
    "lost, then sold to another": [_call("buy", 1, 2, "A"), _loss(3, 4), _call("buy", 5, 6, "B")],
    "cancelled by one who asks until there is an answer": [
        _call("buy", 1, 2, "A"),
        *(_call("cancel_again", 3 + number, by="A") for number in range(20)),
        _call("cancel_again", 30, 31, "A"),
        _call("buy", 40, 41, "B"),
    ],
    "its cancellation lost, and the sale after it": [
        _call("buy", 1, 2, "A"),
        _call("cancel_again", 3, 4, "A"),
        _call("buy", 5, 6, "B"),
        _loss(7, 8, SeatStatus("s", "A"), SeatStatus("s", "B")),
        _call("cancel_again", 9, 10, "A"),
        _call("buy", 11, 12, "C"),
    ],
    "its release lost, and over later": [
        _call("hold", 1, 2, "H"),
        _call("expire", 9, by="H"),
        _call("release", 3, 4, "H"),
        _loss(5, 6, SeatStatus("h", "H")),
        _call("release", 7, 8, "H"),
        _loss(9, 10, SeatStatus("h", "H")),
        _call("buy", 11, 12, "A"),
    ],
    "blocked, and free again": [_call("set", 1, 2, letter="r"), _call("refused", 3, 4), _call("set", 5, 6, letter="a")],
    "cancelled by whom nobody answered": [
        _call("buy", 1, 2, "A"),
        _call("cancel", 3, by="A"),
        _call("buy", 9, 10, "B"),
    ],
}
UNEXPLAINED = {
    "its cancellation lost, but no purchase after it": [
        _call("buy", 1, 2, "A"),
        _call("cancel_again", 3, 4, "A"),
        _loss(5, 6, SeatStatus("s", "A")),
        _call("buy", 7, 8, "B"),
        SeatCall.final(SeatStatus("s", "A")),
    ],
    "two owners after a loss": [_call("buy", 1, 2, "A"), _loss(3, 4), _call("buy", 5, 6, "B"), _call("buy", 7, 8, "C")],
    "two owners before a loss": [_call("buy", 1, 2, "A"), _call("buy", 3, 4, "B"), _loss(5, 6)],
    "two owners": [_call("buy", 1, 4, "A"), _call("buy", 2, 3, "B")],
    "refused though free": [_call("refused", 1, 2), _call("buy", 3, 4, "A")],
    "refused after a cancellation": [_call("buy", 1, 2, "A"), _call("cancel", 3, 4, "A"), _call("refused", 5, 6)],
    "sold while held": [_call("hold", 1, 2, "H"), _call("expire", 9, by="H"), _call("buy", 3, 4, "B")],
    "bought by a holder after it was sold": [
        _call("hold", 1, 2, "H"),
        _call("expire", 3, by="H"),
        _call("buy", 4, 5, "B"),
        _call("buy_held", 6, 7, "A", "H"),
    ],
    "acknowledged, and not there": [_call("buy", 1, 2, "A"), SeatCall.final(SeatStatus())],
    "acknowledged, and another has it": [_call("buy", 1, 2, "A"), SeatCall.final(SeatStatus("s", "B"))],
    "cancelled before it was bought": [_call("cancel", 1, 2, "A"), _call("buy", 3, 4, "A")],
    "set by the organiser though sold": [_call("buy", 1, 2, "A"), _call("set", 3, 4, letter="r")],
    "refused for a hold that was long over": [
        _call("hold", 1, 2, "H"),
        SeatCall("refused", 3 * _SECOND, 3 * _SECOND + 1, over={"H": _SECOND}),
    ],
}


@pytest.mark.parametrize("calls", EXPLAINED.values(), ids=EXPLAINED)
def test_it_can_be_explained(calls: list[SeatCall]) -> None:
    assert search(calls).is_linearizable


@pytest.mark.parametrize("calls", UNEXPLAINED.values(), ids=UNEXPLAINED)
def test_it_cannot_be_explained(calls: list[SeatCall]) -> None:
    assert not search(calls).is_linearizable


def test_a_story_begins_where_all_was_clear() -> None:
    """What came before is no part of it."""
    sales = [_call(kind, 2 * at, 2 * at + 1, "A") for at, kind in enumerate(["buy", "cancel"] * 3)]
    verdict = search([*sales, _call("buy", 20, 21, "B"), _call("buy", 22, 23, "C")])
    assert not verdict.is_linearizable
    assert [call.by for call in verdict.calls] == ["C"]
    assert verdict.status == SeatStatus("s", "B")


def test_what_is_too_much_is_left_undecided() -> None:
    """Many who were not answered, and who may each have done something at any time since."""
    unanswered = [_call(kind, 1, by=str(number)) for number in range(12) for kind in ("buy", "cancel")]
    assert not search([*unanswered, _call("buy", 2, 3, "A")]).is_decided
