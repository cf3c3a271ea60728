"""The search says which answers about one seat can be explained by an order of effects, and which cannot."""

import pytest

from tests.proof.linearizability import search
from tests.proof.seat_calls import INFINITE, SeatCall, SeatStatus

_SECOND = 1_000_000_000


def _call(kind: str, invoked: float, end: float = INFINITE, by: str = "", hold: str = "", letter: str = "") -> SeatCall:
    return SeatCall(kind, invoked, end, by, hold, letter)


EXPLAINED = {
    "two at once, the second refused": [_call("buy", 1, 4, "A"), _call("refused", 2, 3)],
    "refused before the buyer had the answer": [_call("buy", 1, 9, "A"), _call("refused", 2, 3)],
    "sold again after a cancellation": [_call("buy", 1, 2, "A"), _call("cancel", 3, 6, "A"), _call("buy", 4, 5, "B")],
    "unanswered, and it has the seat": [_call("buy", 1, INFINITE, "A"), SeatCall.final(SeatStatus("s", "A"))],
    "unanswered, and it has not": [_call("buy", 1, INFINITE, "A"), SeatCall.final(SeatStatus())],
    "unanswered for long": [_call("buy", 1, INFINITE, "A"), _call("hold", 2, 3, "H"), _call("release", 4, 5, "H")],
    "held, then bought by its holder": [_call("hold", 1, 2, "H"), _call("buy_held", 3, 4, "A", "H")],
    "over, then sold to another": [_call("hold", 1, 2, "H"), _call("expire", 5, by="H"), _call("buy", 6, 7, "B")],
    "lost, then sold to another": [_call("buy", 1, 2, "A"), _call("lost", 1, by="A"), _call("buy", 3, 4, "B")],
    "a cancellation is lost, and a purchase after it": [
        _call("buy", 1, 2, "A"),
        _call("cancel", 3, by="A"),
        _call("restored", 3, by="A"),
        _call("buy", 4, 5, "B"),
        _call("lost", 4, by="B"),
        SeatCall.final(SeatStatus("s", "A")),
    ],
    "blocked, and free again": [_call("set", 1, 2, letter="r"), _call("refused", 3, 4), _call("set", 5, 6, letter="a")],
    "cancelled by whom nobody answered": [
        _call("buy", 1, 2, "A"),
        _call("cancel", 3, by="A"),
        _call("buy", 9, 10, "B"),
    ],
}
UNEXPLAINED = {
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
    "a cancellation is lost, but no purchase after it": [
        _call("buy", 1, 2, "A"),
        _call("cancel", 3, by="A"),
        _call("restored", 3, by="A"),
        _call("buy", 4, 5, "B"),
        SeatCall.final(SeatStatus("s", "A")),
    ],
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
    unanswered = [_call("set", 1, letter=letter) for letter in "aorb" * 8]
    assert not search([*unanswered, _call("buy", 2, 3, "A")]).is_decided
