"""Refusals and interruptions of what repairs the record: quarantine, losses, merging, rebuilding."""

from seating.domain.errors import SeatingError


class PurchaseQuarantined(SeatingError):
    code = "PURCHASE_QUARANTINED"
    sentence = "This purchase waits in quarantine: replay it first, or cancel all of it"


class QuarantineEntryNotFound(SeatingError):
    code = "QUARANTINE_ENTRY_NOT_FOUND"
    sentence = "There is no such entry in quarantine"


class NotReplayable(SeatingError):
    """An entry in quarantine still cannot be recorded. The message says why."""

    code = "NOT_REPLAYABLE"
    sentence = "The entry still cannot be recorded"


class NothingToMerge(SeatingError):
    code = "NOTHING_TO_MERGE"
    sentence = "There is nothing to merge: SQL has everything that it acknowledged"


class NoSuchLoss(SeatingError):
    code = "LOSS_NOT_FOUND"
    sentence = "This loss does not exist or is already settled"


class NotArchived(SeatingError):
    code = "EVENT_NOT_ARCHIVED"
    sentence = "This event is not archived yet: that is done a day after its sale was closed"


class Overtaken(Exception):
    """Another process did this first or is doing it now. Nothing was changed here."""


class RebuildRefused(Exception):
    """Rebuilding now would lose something; the message says what."""


class UnreadableEntry(Exception):
    """This version cannot read an entry: a later version wrote it, or it is damaged. The message has its position."""
