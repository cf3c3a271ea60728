"""What must agree once nothing happens any more.

I6: Redis, log and SQL, the chain, and the audit log. I8: the maps of viewers. I9: the lag, soon after the last fault.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from seating.domain.seat_status import WORDS
from tests.proof.evidence import Breach, Evidence, seq_of
from tests.proof.final_state import LedgerLine

RECORDED_WITHIN_NS = 60_000_000_000
_REPORT_OF_LOSS = re.compile("^confirmed changes from .* are lost|entries wait in quarantine$")
"""What the product has to say where a fault may lose; confirmed.py asks whether it says so of the right ones."""


def check(evidence: Evidence) -> Iterator[Breach]:
    yield from evidence.breaches_in_ledger("I6")
    for what in evidence.final.findings:
        if not (evidence.may_lose and _REPORT_OF_LOSS.search(what)):
            yield Breach("I6", f"the product finds: {what}")
    yield from (Breach("I6", why) for why in _chain(evidence.final.ledger, "the ledger", "0" * 40, 0))
    yield from _ends(evidence)
    yield from _audit(evidence)
    if not evidence.ledger.merged:
        yield from _redis(evidence)
        yield from _maps(evidence)
    yield from _lag(evidence)


def _chain(lines: Sequence[LedgerLine], where: str, link: str, seq: int) -> Iterator[str]:
    """Recompute each link: SHA-1 of the one before, the position and the change."""
    for line in lines:
        if seq_of(line.position) != seq + 1 and '"merged"' not in line.change:
            yield f"{where} has a gap before {line.position}"
        hashed = hashlib.sha1(f"{link}\n{line.position}\n{line.change}".encode(), usedforsecurity=False).hexdigest()
        if hashed != line.link and seq_of(line.position) == seq + 1:
            yield f"the chain of {where} breaks at {line.position}"
        link, seq = line.link, seq_of(line.position)


def _ends(evidence: Evidence) -> Iterator[Breach]:
    """Ledger, watermark, inventory and log end with the same entry; what the log still has, the ledger has too."""
    final = evidence.final
    end = f"{final.ledger[-1].position} {final.ledger[-1].link}" if final.ledger else ""
    inventory = final.inventory
    ends = {
        "the watermark": final.watermark,
        "the inventory": f"{inventory.get('epoch')}-{inventory.get('seq')} {inventory.get('chain')}",
        "the log": f"{final.log[-1].position} {final.log[-1].link}" if final.log else "",
        "what Redis knows to be acknowledged": inventory.get("acknowledged", ""),
    }
    for what, at in ends.items():
        if at != end:
            yield Breach("I6", f"the ledger ends at {end}, {what} at {at or 'nothing'}")
    recorded = {line.position: line for line in final.ledger}
    for line in final.log:
        if recorded.get(line.position) != line:
            yield Breach("I6", f"the log's entry {line.position} is not the ledger's")
    if inventory.get("server") != final.server:
        yield Breach("I6", "the inventory does not sell on this server")


def _audit(evidence: Evidence) -> Iterator[Breach]:
    """Each act that made an entry stands in the audit log, once."""
    acts = Counter(evidence.final.audit)
    asked = {evidence.positions[seq] for seq, change in evidence.changes.items() if change.get("by")}
    for position in asked:
        if acts[position] != 1:
            yield Breach("I6", f"the act at {position} is in the audit log {acts[position]} times")
    for position in acts.keys() - asked:
        yield Breach("I6", f"the audit log has an act at {position}, which the ledger does not have")


def _redis(evidence: Evidence) -> Iterator[Breach]:
    final, ledger = evidence.final, evidence.ledger
    counted = ledger.counted
    expected = {
        "sold": counted["s"] + counted["b"],
        "held": counted["h"] + counted["o"],
        "blocked": counted["r"] + counted["x"],
        "capacity": final.capacity,
    }
    for name, count in expected.items():
        if final.inventory.get(name) != str(count):
            yield Breach("I6", f"Redis counts {final.inventory.get(name)} {name}, the ledger {count}")
    if final.inventory.get("state") != ledger.state:
        yield Breach("I6", f"the sale is {final.inventory.get('state')} in Redis, {ledger.state} in the ledger")
    for block, seats in enumerate(final.seats):
        expected_map = "".join(ledger.status.get(seat, "a") if seat else "|" for seat in seats[:-1])
        if final.maps.get(str(block)) != expected_map:
            yield Breach("I6", f"the map of block {block} is {final.maps.get(str(block))}, not {expected_map}")
    due = {hold: kept.until_ms for hold, kept in ledger.holds.items()}
    if final.expiries != due:
        ends = sorted(final.expiries.items() ^ due.items())[:4]
        yield Breach("I6", f"Redis and the ledger differ about when holds end: {ends}")
    sold = {(seat, letter) for seat, letter in ledger.status.items() if letter in "sb"}
    recorded = {(seat, "b" if purchase is None else "s") for seat, purchase in final.sold_seats}
    if sold != recorded:
        yield Breach("I6", f"the tables and the ledger differ about who bought {sorted(sold ^ recorded)[:4]}")
    organised = {(seat, letter) for seat, letter in ledger.status.items() if letter in "orb"}
    if organised != set(final.organiser_seats):
        differing = sorted(organised ^ set(final.organiser_seats))[:4]
        yield Breach("I6", f"the tables and the ledger differ about the organiser's seats: {differing}")


def _maps(evidence: Evidence) -> Iterator[Breach]:
    """Each viewer shows what is, and so does the snapshot that new viewers get."""
    status = evidence.ledger.status
    seats = [seat for block in evidence.final.seats for seat in block if seat]
    shown = "".join(WORDS[status.get(seat, "a")][0] for seat in seats)
    end = evidence.final.ledger[-1].position if evidence.final.ledger else ""
    for viewer in evidence.history.maps:
        who = "the snapshot" if viewer.client < 0 else f"viewer {viewer.client}"
        if viewer.seats != shown:
            pairs = zip(seats, viewer.seats, shown, strict=False)
            wrong = [f"{seat} as {saw}, not {is_now}" for seat, saw, is_now in pairs if saw != is_now]
            yield Breach("I8", f"{who} at {viewer.position} shows {', '.join(wrong[:3]) or viewer.seats}")
        elif viewer.position != end:
            yield Breach("I8", f"{who} is at {viewer.position}, and the log ends at {end}")


def _lag(evidence: Evidence) -> Iterator[Breach]:
    """SQL has everything, and was seen to have it within a minute after the last fault."""
    inventory = evidence.final.inventory
    if inventory.get("seq") != inventory.get("persisted"):
        yield Breach("I9", f"SQL has entries up to {inventory.get('persisted')}, of {inventory.get('seq')}")
    if evidence.history.faults:
        last = max(fault.ended for fault in evidence.history.faults)
        looks = [one for one in evidence.history.acknowledged("get") if (one.answer or {}).get("lag") == 0]
        after = [one.returned - last for one in looks if one.returned and one.invoked >= last]
        if not after:
            yield Breach("I9", "the lag was not seen to be zero after the last fault")
        elif min(after) > RECORDED_WITHIN_NS:
            yield Breach("I9", f"the lag was zero {min(after) / 1e9:.1f} s after the last fault")
