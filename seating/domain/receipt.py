"""What is kept under an idempotency key: the receipt of a purchase, or the record of a hold, to answer a repetition."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, Self

from seating.domain.cancellation import Bought, Cancellation
from seating.domain.changes import Held, Purchased
from seating.domain.hold import HOLD_RENDERING
from seating.domain.log_entry import LogEntry
from seating.domain.personal_data import PersonalData, hash_of, text_of
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId, buyer_hash
from seating.domain.seating_plan import SeatRange, runs_text

RENDERING = 1
"""Version of the answer that a receipt is rendered to. A new wording gets a new number; old receipts keep theirs."""

# Always the last member. No text can look like it, since quotes in texts are escaped.
_PRIVATE = re.compile(r',"private":\{.*\}\}$')


class Receipt(NamedTuple):
    """What is kept of an accepted purchase: enough to render its answer again, byte for byte, and to record it anew.

    `shop` is the caller's name and the personal data, as a JSON object.
    """

    rendering: int
    fingerprint: str
    id: PurchaseId
    quantity: int
    left: int
    runs: list[SeatRange]
    at_ms: int
    shop: str

    @classmethod
    def parse(cls, event_id: str, record: str) -> Self:
        """Reads the text that purchase.lua wrote: rendering|fingerprint|position|nonce|quantity|left|runs|at|shop."""
        # No further: texts in `shop` may have bars too.
        rendering, fingerprint, position, nonce, quantity, left, runs, at_ms, shop = record.split("|", 8)
        purchase_id = PurchaseId(event_id, Position.parse(position), nonce)
        told = (int(quantity), int(left), SeatRange.parse_all(runs))
        return cls(int(rendering), fingerprint, purchase_id, *told, int(at_ms), shop)

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        bought = (self.id.position, self.id.nonce, self.quantity, self.left, runs_text(self.runs))
        return "|".join(map(str, (self.rendering, self.fingerprint, *bought, self.at_ms, self.shop)))

    @property
    def private(self) -> str | None:
        """The text of the personal data; None for none, or none any more."""
        return text_of(json.loads(self.shop).get("private"))

    @property
    def personal(self) -> PersonalData:
        shop = json.loads(self.shop)
        return PersonalData.of(shop.get("private") or shop)

    @property
    def bought(self) -> Bought:
        return Bought(self.quantity, self.runs)

    @property
    def caller(self) -> str:
        """The name of the key that it was bought with."""
        found: str = json.loads(self.shop)["caller"]
        return found

    @property
    def tariff(self) -> str:
        """What each run was sold as, `category:price,…`; empty without an offer."""
        found: str = json.loads(self.shop).get("tariff", "") if '"tariff":' in self.shop else ""
        return found

    @property
    def currency(self) -> str | None:
        """Of the prices; None without prices."""
        found: str | None = json.loads(self.shop).get("currency") if self.tariff else None
        return found

    def only(self, part: Bought) -> "Receipt":
        """As if no more than a `part` of it had been bought."""
        shop = json.loads(self.shop)
        if self.tariff:
            # A block is of one category, so all of its runs have one charge.
            sold_as = {run.block: charge for run, charge in zip(self.runs, self.tariff.split(","), strict=True)}
            shop["tariff"] = ",".join(sold_as[run.block] for run in part.runs)
        text = json.dumps(shop, separators=(",", ":"))
        return self._replace(quantity=part.quantity, runs=list(part.runs), shop=text)

    def change(self, idempotency: str) -> Purchased:
        """What the log said of it; `idempotency` is the hash of caller and key."""
        shop = json.loads(self.shop)
        private = text_of(shop.get("private"))
        return Purchased(
            self.at_ms,
            self.quantity,
            self.left,
            self.runs,
            self.id.nonce,
            idempotency,
            self.fingerprint,
            self.rendering,
            shop["reference"],
            caller=shop["caller"],
            tariff=self.tariff,
            currency=self.currency,
            private=hash_of(private) if private else None,
        )


def seats_by_buyer(records: Iterable[str], cancelled: Mapping[str, str]) -> dict[str, int]:
    """Return how many seats each buyer has whom a shop named, by the hash of caller and buyer.

    `records` are all that idempotency keys have, `cancelled` has the Cancellation of purchases by their positions.
    """
    seats: Counter[str] = Counter()
    for record in records:
        if '"buyer":' not in record:  # Erased, or a hold.
            continue
        # Receipt.parse takes several times as long, and there may be a hundred thousand.
        _, _, position, _, quantity, _, runs, _, shop = record.split("|", 8)
        said = json.loads(shop)
        standing = int(quantity)
        if position in cancelled:
            bought = Bought(standing, SeatRange.parse_all(runs))
            standing = bought.standing(Cancellation.parse(cancelled[position])).quantity
        seats[buyer_hash(said["caller"], PersonalData.of(said.get("private") or said).buyer)] += standing
    return {buyer: count for buyer, count in seats.items() if buyer and count}


def purchase_record(entry: LogEntry, change: Purchased) -> str:
    """As purchase.lua writes it; `"private":null` stands for personal data that was erased."""
    position = change.original or entry.position
    parts = (change.rendering, change.fingerprint, position, change.nonce, change.quantity, change.left)
    who = shop_members(change.caller, change.reference, change.tariff, change.currency)
    if change.private is not None:
        who += f',"private":{(change.vouches_for(entry.private) and entry.private) or "null"}'
    return "|".join(map(str, (*parts, runs_text(change.runs), change.at_ms, f"{{{who}}}")))


def hold_record(position: Position, change: Held) -> str:
    """As hold.lua writes it, or wrote it in versions before."""
    if change.rendering == HOLD_RENDERING:
        return f"{change.rendering}|{change.fingerprint}|{change.hold}|{change.sealed}"
    parts = (change.rendering, change.fingerprint, position, change.until_ms, change.quantity)
    return "|".join(map(str, (*parts, runs_text(change.runs))))


def is_purchase_record(record: str) -> bool:
    """Whether an idempotency record is that of a purchase, not of a hold."""
    return record.count("|") >= 8


def without_private(record: str) -> str:
    """The record of a purchase once its personal data is erased; any other stays as it is."""
    return _PRIVATE.sub(',"private":null}', record)


def is_record_of_hold(record: str, hold: str) -> bool:
    """Whether an idempotency record is that of this very hold."""
    return record.count("|") == 3 and record.split("|")[2] == hold


# With `separators`, json.dumps makes an encoder for each call, and this is nearly always the same text.
@lru_cache(maxsize=256)
def shop_members(caller: str, reference: str | None = None, tariff: str = "", currency: str | None = None) -> str:
    """The caller's name as a member of a JSON object, without its braces; few callers have one.

    `reference` is what versions before personal data had a text of its own wrote here. `tariff` and `currency` are what
    the script adds.
    """
    members = {"caller": caller, "reference": reference}
    priced = {name: value for name, value in (("tariff", tariff), ("currency", currency)) if value}
    return json.dumps(members | priced, separators=(",", ":"))[1:-1]
