"""The tables of webhooks, which tables.py declares with the others."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, Text, UniqueConstraint


def endpoints(metadata: MetaData) -> Table:
    return Table(
        "webhooks",
        metadata,
        Column("id", String(16), primary_key=True),
        Column("url", Text, nullable=False),
        Column("event_id", String(64), ForeignKey("events.id"), comment="null for all events"),
        Column("types", Text, nullable=False, comment="of messages, with commas between them; empty for all"),
        Column("secret", String(100), nullable=False, comment="signs its messages, so it is kept as it is"),
        Column("created_ms", BigInteger, nullable=False),
        Column("paused_ms", BigInteger, comment="null while it gets messages"),
        Column("paused_why", Text),
        Column("claimed_by", String(32), comment="the sender that delivers to it now"),
        Column("claimed_until_ms", BigInteger, nullable=False, server_default="0"),
        Column("former_secret", String(100), comment="the one before `secret`"),
        Column("former_until_ms", BigInteger, comment="until when it signs too"),
        comment="Endpoints of other systems that are told of changes",
    )


def cursors(metadata: MetaData) -> Table:
    return Table(
        "webhook_cursors",
        metadata,
        Column("webhook_id", String(16), ForeignKey("webhooks.id"), primary_key=True),
        Column("event_id", String(64), ForeignKey("events.id"), primary_key=True),
        Column("seq", BigInteger, nullable=False, comment="of the ledger's last entry that is done with"),
        Column("notice", Integer, nullable=False, comment="the last of webhook_notices that is done with"),
        Column("version", Integer, nullable=False, server_default="0", comment="grows with each change of the row"),
        Column("attempts", Integer, nullable=False, server_default="0", comment="failures in a row"),
        Column("failing_since_ms", BigInteger),
        Column("next_ms", BigInteger, nullable=False, server_default="0", comment="when to try again"),
        Column("error", String(200), comment="the last failure"),
        comment="How far each endpoint has got with each event",
    )


def notices(metadata: MetaData) -> Table:
    return Table(
        "webhook_notices",
        metadata,
        Column("event_id", String(64), ForeignKey("events.id"), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("kind", String(16), nullable=False, comment="loss, entry or cancelled"),
        Column("key", String(160), nullable=False, comment="what it is about: a loss, a seq of the ledger, a purchase"),
        Column("at_ms", BigInteger, nullable=False),
        Column("content", Text, nullable=False, comment="JSON"),
        UniqueConstraint("event_id", "kind", "key", name="uq_webhook_notices_key"),
        comment="What endpoints are told that the ledger does not have in its order",
    )
