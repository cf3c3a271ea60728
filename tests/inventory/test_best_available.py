"""Which seats are chosen for a quantity, by the scripts on a real Redis and by a reference that is easy to believe."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from operator import attrgetter
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seating.domain.errors import NotTogether, SoldOut
from seating.domain.offer import CategoryOffer, Offer, block_ranges, common_blocks
from seating.domain.purchase import Order
from seating.domain.seating_plan import SeatingPlan, SeatRange, Spot, spots_text, to_middles_text
from seating.redis_store import keys
from seating.redis_store.calls import Scripts
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.redis_store.inventory import Inventory
from tests.fuzz_runs import fuzz_runs, takes_long
from tests.inventory.best_place import (
    AN_AISLE,
    MOST_PARTS,
    FreeRun,
    SearchedRange,
    Split,
    Terms,
    Wish,
    best_place,
    best_seats,
    fewest_singles,
    free_runs,
    leaves_single,
    marked,
    open_to,
    room_lost,
)

Open = Callable[..., str]

# Chooses for one party after another, of the maps that are there; replies their runs, or why not.
_CHOOSE = """
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses places.lua
-- Uses searching.lua
-- Uses split.lua
-- Uses choice.lua
local inventory = {capacity = ARGV[2], sold = 0, held = 0, blocked = 0, offer = ARGV[4] ~= '' and ARGV[4] or nil}
local replies = {}
for i, party in ipairs(cjson.decode(ARGV[3])) do
  local wish = party.wish and read_wish(inventory, party.wish) or party
  local runs, refusal = choose_seats(inventory, party.quantity, '', wish)
  if runs then
    inventory.sold = inventory.sold + party.quantity
    mark(runs, 'a', 's')
  end
  replies[i] = runs or refusal[1]
end
return replies
"""


class Party(NamedTuple):
    quantity: int
    together: bool = False
    mix: bool = False


class Hall:
    """A hall in a Redis of its own, and the product's choice of seats in it."""

    def __init__(self, redis_url: str) -> None:
        self._calls = DirectCalls(ScriptConnection(redis_url, Scripts(replaced={"choose": _CHOOSE})))

    def open(
        self, blocks: Sequence[str], spots: Sequence[Sequence[Spot]] = (), to_middles: Sequence[Sequence[int]] = ()
    ) -> None:
        names = (keys.seats("hall"), keys.longest_runs("hall"), keys.spots("hall"))
        commands: list[tuple[str | int, ...]] = [("DEL", *names)]
        commands += [("HSET", names[0], block, seats) for block, seats in enumerate(blocks)]
        commands += [("SET", names[1], _longest_runs(blocks))]
        commands += [("HSET", names[2], block, spots_text(of_block)) for block, of_block in enumerate(spots)]
        texts = {
            f"m{block}": to_middles_text(_starts(blocks[block]), of_block) for block, of_block in enumerate(to_middles)
        }
        commands += [("HSET", names[2], field, text) for field, text in texts.items() if text]
        self._calls.commands(commands)
        self._free = sum(seats.count("a") for seats in blocks)

    def seat(
        self, parties: Sequence[Party], ranges: Sequence[SearchedRange] | None = None
    ) -> list[list[SeatRange] | str]:
        """The runs of each party, or the code of its refusal."""
        searched = {} if ranges is None else {"ranges": [part._asdict() for part in ranges]}
        return self._chosen([party._asdict() | searched for party in parties], "")

    def seat_as_wished(self, wishes: Sequence[tuple[int, str]], offer: Offer) -> list[list[SeatRange] | str]:
        """The same of parties by their quantities and what they wish, as the product writes it."""
        return self._chosen([{"quantity": quantity, "wish": wish} for quantity, wish in wishes], offer.searched)

    def _chosen(self, parties: Sequence[dict[str, Any]], offer: str) -> list[list[SeatRange] | str]:
        replies = self._calls.script("choose", keys.of_sale("hall"), (self._free, json.dumps(parties), offer))
        return [reply if reply.isupper() else SeatRange.parse_all(reply) for reply in map(bytes.decode, replies)]

    def maps(self) -> dict[int, str]:
        kept = self._calls.command("HGETALL", keys.seats("hall"))
        return dict(zip(map(int, kept[::2]), [text.decode() for text in kept[1::2]], strict=True))

    def longest_runs(self) -> str:
        kept: bytes = self._calls.command("GET", keys.longest_runs("hall"))
        return kept.decode()


@pytest.fixture
def hall(redis_url: str) -> Hall:
    return Hall(redis_url)


def _starts(seats: str) -> list[int]:
    return [0, *(break_.end() for break_ in re.finditer(r"\|", seats))]


def _longest_runs(blocks: Sequence[str]) -> str:
    return "".join(chr(48 + min(10, max(map(len, re.split("[^a]", seats))))) for seats in blocks)


@pytest.fixture
def unsynced(calls: DirectCalls) -> Iterator[None]:
    """Redis does not sync each write: thousands of short sales are over sooner, and no server dies under them."""
    calls.command("CONFIG", "SET", "appendfsync", "no")
    yield
    calls.command("CONFIG", "SET", "appendfsync", "always")


def _plan_of(blocks: list[str], spots: list[list[Spot]], to_middles: list[list[int]]) -> SeatingPlan:
    rows = [
        [[f"{b}-{r}-{s}" for s in range(len(row))] for r, row in enumerate(block.split("|"))]
        for b, block in enumerate(blocks)
    ]
    return SeatingPlan(rows, {"name": "Test"}, spots, to_middles)


def _random_hall(random: Random) -> tuple[list[str], list[list[Spot]]]:
    """Maps of blocks, and where their stretches are: all, those of the first block, or none.

    Rows are cut by aisles; a row may go on in another block.
    """

    def stretch() -> str:
        return "".join(random.choices("as", [random.choice([1, 2, 4]), 1], k=random.randint(1, 14)))

    blocks = ["|".join(stretch() for _ in range(random.randint(1, 5))) for _ in range(random.randint(1, 4))]
    known = blocks[: random.choice([0, 1, len(blocks)])]
    spots = [
        [
            Spot(
                random.randint(0, 4),
                random.randint(-2_000, 2_000),
                random.randint(-500, 500),
                *random.choice([(100, 0), (-100, 0), (0, 100), (70, -70), (0, 0), (98, 15)]),
            )
            for _ in block.split("|")
        ]
        for block in known
    ]
    return blocks, spots


def _random_to_middles(random: Random, blocks: Sequence[str]) -> list[list[int]]:
    """How far each stretch is from the middle of its row; none where that is not known."""
    if random.random() < 0.3:
        return []
    return [[random.choice([0, random.randint(-30, 30)]) for _ in block.split("|")] for block in blocks]


def _random_ranges(random: Random, blocks: int) -> list[SearchedRange] | None:
    """The whole hall, or ranges of some or all blocks in any order; some categories have several."""
    if random.random() < 0.5:
        return None
    firsts = [0, *sorted(random.sample(range(1, blocks), random.randint(0, blocks - 1)))]
    lasts = [*(first - 1 for first in firsts[1:]), blocks - 1]
    ranges = [SearchedRange(*ends, random.randint(0, 2)) for ends in zip(firsts, lasts, strict=True)]
    random.shuffle(ranges)
    return ranges[: random.randint(1, len(ranges))]


@takes_long
@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("seed", range(4))
def test_chooses_as_the_obvious_reference_does(hall: Hall, seed: int) -> None:
    random = Random(seed)
    for _ in range(fuzz_runs(150)):
        blocks, spots = _random_hall(random)
        to_middles = _random_to_middles(random, blocks)
        ranges = _random_ranges(random, len(blocks))
        searched = [SearchedRange(0, len(blocks) - 1)] if ranges is None else ranges
        parties = [
            Party(random.randint(1, 10), random.random() < 0.2, random.random() < 0.5)
            for _ in range(random.randint(1, 10))
        ]
        hall.open(blocks, spots, to_middles)
        for party, reply in zip(parties, hall.seat(parties, ranges), strict=True):
            expected = best_seats(blocks, **party._asdict(), ranges=ranges, spots=spots, to_middles=to_middles)
            if expected is None:
                free = Counter[int]()
                for part in searched:
                    seats = "".join(blocks[part.first : part.last + 1])
                    free[0 if party.mix else part.category] += seats.count("a")
                assert reply == ("SOLD_OUT" if max(free.values()) < party.quantity else "NOT_TOGETHER")
                continue
            assert reply == expected, (blocks, spots, to_middles, ranges, party)
            for run in expected:
                blocks[run.block] = marked(blocks[run.block], run, "s")
        assert [hall.maps()[block] for block in range(len(blocks))] == blocks
        assert hall.longest_runs() == _longest_runs(blocks)


@takes_long
@pytest.mark.usefixtures("unsynced")
def test_who_may_have_which_categories_is_as_the_reference_says(hall: Hall) -> None:
    """Off sale, on request, accessible, in any order; asked for by category, by a part of the hall, or not at all."""
    random = Random(5)
    for _ in range(fuzz_runs(150)):
        blocks, _ = _random_hall(random)
        terms = [_random_terms(random) for _ in range(random.randint(1, 4))]
        category_of = [random.randrange(len(terms)) for _ in blocks]
        offer = Offer(
            tuple(
                CategoryOffer(f"{number}", None, *its, blocks=block_ranges(_blocks_of(number, category_of)))
                for number, its in enumerate(terms)
            )
        )
        blocks = [
            seats if terms[of].on_sale else seats.replace("a", "x")
            for seats, of in zip(blocks, category_of, strict=True)
        ]
        hall.open(blocks)
        wishes = [_random_wish(random, len(terms), len(blocks)) for _ in range(random.randint(1, 8))]
        texts = [(wish.quantity, _as_written(wish, offer)) for wish in wishes]
        for wish, reply in zip(wishes, hall.seat_as_wished(texts, offer), strict=True):
            ranges = open_to(wish, category_of, terms)
            expected = best_seats(blocks, wish.quantity, together=wish.together, mix=wish.mix, ranges=ranges)
            if expected is None:
                free = Counter[int]({0: 0})
                for searched in ranges:
                    free[0 if wish.mix else searched.category] += blocks[searched.first].count("a")
                assert reply == ("SOLD_OUT" if max(free.values()) < wish.quantity else "NOT_TOGETHER")
                continue
            assert reply == expected, (blocks, category_of, terms, wish)
            for run in expected:
                blocks[run.block] = marked(blocks[run.block], run, "s")


def _random_terms(random: Random) -> Terms:
    return Terms(random.random() < 0.8, random.random() < 0.3, random.random() < 0.3, random.randint(0, 2))


def _random_wish(random: Random, categories: int, blocks: int) -> Wish:
    ends = sorted(random.choices(range(blocks), k=2))
    return Wish(
        random.randint(1, 8),
        together=random.random() < 0.2,
        mix=random.random() < 0.3,
        category=random.choice([None, None, random.randrange(categories)]),
        within=random.choice([None, None, (ends[0], ends[1])]),
        accessible=random.random() < 0.3,
    )


def _blocks_of(category: int, category_of: Sequence[int]) -> list[int]:
    return [block for block, of in enumerate(category_of) if of == category]


_NOWHERE = ((1, 0),)


def _as_written(wish: Wish, offer: Offer) -> str:
    named = [] if wish.category is None else [offer.categories[wish.category].blocks]
    zones = [(wish.within,)] if wish.within else []
    within = (common_blocks(*named, *zones) or _NOWHERE) if named or zones else ()
    category = None if wish.category is None else str(wish.category)
    order = Order(wish.quantity, wish.together, category=category, accessible=wish.accessible, mix=wish.mix)
    return order.wish_text(within)


def test_sells_what_is_chosen(inventory: Inventory, opened: Open) -> None:
    random = Random(1)
    for number in range(20):
        blocks, spots = _random_hall(random)
        to_middles = _random_to_middles(random, blocks)
        event = opened(plan=_plan_of(blocks, spots, to_middles), maps=blocks)
        for party in range(8):
            quantity, together = random.randint(1, 10), random.random() < 0.2
            expected = best_seats(blocks, quantity, together=together, spots=spots, to_middles=to_middles)
            order = Order(quantity, together)
            try:
                runs = inventory.purchase(event, "shop", f"k{number}-{party}", order).receipt.runs
            except (NotTogether, SoldOut):
                assert expected is None
                continue
            assert runs == expected
            for run in runs:
                blocks[run.block] = marked(blocks[run.block], run, "s")


@given(st.text("as", min_size=1, max_size=40), st.integers(1, 10))
def test_the_best_place_never_loses_room_and_leaves_a_single_seat_only_where_all_do(row: str, quantity: int) -> None:
    place = best_place(row, quantity)
    places = [start for start in range(len(row)) if row[start:].startswith("a" * quantity)]
    assert (place is None) == (not places)
    if place is not None:
        assert room_lost(row, place, quantity) == 0
        assert leaves_single(row, place, quantity) == all(leaves_single(row, start, quantity) for start in places)


def test_no_other_split_is_better() -> None:
    """The reference, beside all pairs of runs."""
    random, found = Random(2), 0
    while found < 500:
        (blocks, spots), quantity = _random_hall(random), random.randint(2, 10)
        runs = [
            run
            for block, seats in enumerate(blocks)
            for run in free_runs(block, seats, spots[block] if block < len(spots) else ())
        ]
        split = Split.of(runs, quantity)
        if not split or split.parts > 2 or max(run.length for run in runs) >= quantity or len(runs) > MOST_PARTS // 2:
            continue

        def quality(pair: Sequence[FreeRun], quantity: int = quantity) -> tuple[int, float]:
            one, other = sorted(pair, key=attrgetter("length"))
            away = [other.distance(one), *([one.distance(other)] if one.length * 2 >= quantity else [])]
            return fewest_singles([one.length, other.length], quantity), max(AN_AISLE, min(away))

        pairs = [pair for pair in combinations(runs, 2) if sum(run.length for run in pair) >= quantity]
        seats = best_seats(blocks, quantity, spots=spots)
        assert seats is not None
        chosen = [next(run for run in runs if run.block == b and 0 <= s - run.start < run.length) for b, s, _ in seats]
        assert quality(chosen) == min(map(quality, pairs))
        assert [part.length for part in seats].count(1) == split.singles
        found += 1


def test_in_a_row_of_two_halves_parties_sit_at_the_aisle(hall: Hall) -> None:
    """One after another, as near to the row's middle as there is room for others."""
    hall.open(["a" * 8 + "|" + "a" * 8], to_middles=[[9, -9]])
    assert hall.seat([Party(2)] * 8) == [[SeatRange(0, start, 2)] for start in (6, 4, 2, 0, 9, 11, 13, 15)]
    hall.open(["aaa|aaa"], to_middles=[[5, -5]])
    assert hall.seat([Party(2), Party(2)]) == [[SeatRange(0, 1, 2)], [SeatRange(0, 4, 2)]]


def test_a_centre_aisle_parts_a_party_less_than_a_row_does(hall: Hall) -> None:
    row = [Spot(0, 150, 0), Spot(0, 750, 0)]  # Three seats either side of an aisle of two.
    behind = [Spot(1, 150, 110), Spot(1, 750, 110)]
    for quantity, expected in {
        4: [SeatRange(0, 1, 2), SeatRange(0, 4, 2)],
        5: [SeatRange(0, 0, 3), SeatRange(0, 4, 2)],
        6: [SeatRange(0, 0, 3), SeatRange(0, 4, 3)],
    }.items():
        hall.open(["aaa|aaa|aaa|aaa"], [row + behind])
        assert hall.seat([Party(quantity)]) == [expected]


def test_the_parts_of_a_split_face_each_other_however_rows_are_numbered(hall: Hall) -> None:
    """Of two stretches of three, each has the two seats at the aisle."""
    right_to_left = [Spot(0, 150, 0, -100, 0), Spot(0, 750, 0, -100, 0)]
    upright = [Spot(0, 0, 750, 0, 100), Spot(0, 0, 150, 0, 100)]
    for spots in (right_to_left, upright):
        hall.open(["aaa|aaa"], [spots])
        assert hall.seat([Party(4)]) == [[SeatRange(0, 0, 2), SeatRange(0, 5, 2)]]


def test_a_party_stays_in_one_category_unless_it_may_mix(hall: Hall) -> None:
    categories = [SearchedRange(0, 0, 0), SearchedRange(1, 1, 1)]
    hall.open(["aaa", "aa|aa"])
    assert hall.seat([Party(4)], categories) == [[SeatRange(1, 0, 2), SeatRange(1, 3, 2)]]
    assert hall.seat([Party(4)], categories) == ["SOLD_OUT"]
    hall.open(["aaa", "aaa"])
    assert hall.seat([Party(4), Party(4, mix=True)], categories) == [
        "SOLD_OUT",
        [SeatRange(0, 0, 2), SeatRange(1, 0, 2)],
    ]


@pytest.mark.parametrize(
    ("block", "rows"),
    [("as" * 12, 40), ("aas" * 8, 40), ("aa|a|" * 200 + "a", 1), ("a|" * 499 + "a", 1), ("aaaas" + "as" * 10, 30)],
)
def test_a_large_hall_in_pieces_has_the_fewest_parts_all_the_same(hall: Hall, block: str, rows: int) -> None:
    """Where the script compares some of the runs only, and reads some of the blocks."""
    blocks = ["|".join([block] * rows)] * 60
    blocks[50] = "aaaas|" + blocks[50]
    runs = [run for number, seats in enumerate(blocks) for run in free_runs(number, seats, ())]
    for quantity in range(5, 11):
        hall.open(blocks)
        split = Split.of(runs, quantity)
        assert split
        (chosen,) = hall.seat([Party(quantity)])
        assert not isinstance(chosen, str)
        assert sum(part.length for part in chosen) == quantity
        assert len(chosen) == split.parts
        assert [part.length for part in chosen].count(1) == split.singles
        assert all(set(blocks[b][start : start + length]) == {"a"} for b, start, length in chosen)
