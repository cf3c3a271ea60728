"""The tables. Times are ms since 1970, positions two numbers; texts that scripts wrote are kept to the letter."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

events = Table(
    "events",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("seated", Boolean, nullable=False),
    Column("state", String(16), nullable=False, server_default="on_sale", comment="as the ledger says"),
    Column("archived", Boolean, nullable=False, server_default=false(), comment="gone from Redis for good"),
    Column("archived_ms", BigInteger, comment="null unless it is archived"),
    Column("erased_ms", BigInteger, comment="when personal data of it was erased; null while it may have some"),
    Column("plan", LargeBinary, comment="SeatingPlan.pack(); null in general admission"),
    Column("offer", Text, comment="Offer.to_json(); null for an event without categories"),
    Column("starts_ms", BigInteger),
    Column("venue", Text),
    Column("metadata", Text, nullable=False, server_default="{}", comment="a JSON object of texts"),
    Column("idempotency", String(22), comment="hash of caller and key that it was created with"),
    Column("fingerprint", String(22), comment="of what was asked for with that key"),
    Index("ix_events_starts_ms", "starts_ms", "id"),
    Index("uq_events_idempotency", "idempotency", unique=True),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("event_id", String(64), ForeignKey("events.id"), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("link", String(40), nullable=False),
    comment="How far each event's log is in these tables",
)

ledger = Table(
    "ledger",
    metadata,
    Column("event_id", String(64), ForeignKey("events.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("change", Text, nullable=False),
    Column("link", String(40), nullable=False),
    Column("private", Text, comment="personal data beside the entry; null for none, or none any more"),
    comment="Every entry of every log, as it was written",
)

purchases = Table(
    "purchases",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("event_id", String(64), ForeignKey("events.id"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("seats_left", Integer, nullable=False),
    Column("runs", Text, nullable=False, comment="block:start-length,…; empty in general admission"),
    Column("buyer", String(64), comment="the shop's own id of its customer; personal data, as the next two"),
    Column("reference", String(64)),
    Column("note", String(200)),
    Column("caller", String(64), comment="name of its key; null for one without"),
    Column("tariff", Text, comment="category:price,…, one a run; null without an offer"),
    Column("currency", String(3), comment="ISO 4217; null without prices"),
    Column("total", BigInteger, comment="minor units of currency; null without prices"),
    Column("cancelled_ms", BigInteger, comment="when seats of it were last cancelled"),
    Column("cancelled_quantity", Integer, nullable=False, server_default="0", comment="all of them: none stands"),
    Column("cancelled_runs", Text, nullable=False, server_default="", comment="of the seats that were cancelled"),
    Column("cancelled_why", Text, comment="the reason that the operator gave last"),
    Column("entry_seq", BigInteger, nullable=False, comment="where the ledger has it: replayed ones stand elsewhere"),
    UniqueConstraint("event_id", "epoch", "seq", name="uq_purchases_position"),
    UniqueConstraint("event_id", "entry_seq", name="uq_purchases_entry_seq"),
    Index(
        "ix_purchases_caller",
        "event_id",
        "caller",
        "entry_seq",
        sqlite_where=text("caller IS NOT NULL"),
        postgresql_where=text("caller IS NOT NULL"),
    ),
    Index(
        "ix_purchases_reference",
        "event_id",
        "reference",
        "entry_seq",
        sqlite_where=text("reference IS NOT NULL"),
        postgresql_where=text("reference IS NOT NULL"),
    ),
    comment="The ledger's purchases, folded; epoch and seq are what the buyer was told",
)

sold_seats = Table(
    "sold_seats",
    metadata,
    Column("event_id", String(64), ForeignKey("events.id"), primary_key=True),
    Column("seat_id", String(255), primary_key=True),
    Column("purchase_id", String(128), ForeignKey("purchases.id"), comment="null for a sale at the box office"),
    Index("ix_sold_seats_purchase_id", "purchase_id"),  # Or each purchase that is deleted would read all seats.
    comment="Who has each sold seat; its key is the last guard against selling one twice",
)

organiser_seats = Table(
    "organiser_seats",
    metadata,
    Column("event_id", String(64), ForeignKey("events.id"), primary_key=True),
    Column("seat_id", String(255), primary_key=True),
    Column("status", String(1), nullable=False, comment="r blocked, o held, b sold at the box office"),
    Column("entry_seq", BigInteger, nullable=False, comment="of the ledger's entry that set it"),
    comment="What the organiser made of seats, but for those that are available again",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("event_id", String(64), ForeignKey("events.id"), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("change", Text, nullable=False),
    Column("link", String(40), primary_key=True),
    Column("private", Text, comment="as in the ledger"),
    Column(
        "reason",
        String(16),
        nullable=False,
        comment="poison: SQL refused it; fork: of another history; lost: known from a buyer's receipt alone",
    ),
    Column("error", Text, nullable=False),
    Column("resolution", String(16), comment="how it was dealt with; null while it waits for the operator"),
    comment="Entries that the tables above refused for good, raw, for the operator",
)

users = Table(
    "users",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", String(320), nullable=False, comment="lower case"),
    Column("plan", String(16), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("email"),
)

terms = Table(
    "terms",
    metadata,
    Column("event_id", String(64), ForeignKey("events.id"), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("first_seq", BigInteger, comment="of its first entry on record; null for one that has none"),
    Column("last_seq", BigInteger, comment="of its last entry, where the next one's first does not tell"),
    comment="Every epoch that was ever handed out",
)

merges = Table(
    "merges",
    metadata,
    Column("event_id", String(64), ForeignKey("events.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False, comment="of the ledger's entry `merged`"),
    Column("acknowledged_epoch", Integer, nullable=False, comment="what Redis knew to be acknowledged"),
    Column("acknowledged_seq", BigInteger, nullable=False),
    Column("acknowledged_link", String(40), nullable=False),
    Column("tail_epoch", Integer, nullable=False, comment="where Redis's history ended"),
    Column("tail_seq", BigInteger, nullable=False),
    Column("tail_link", String(40), nullable=False),
    Column("state", LargeBinary, nullable=False, comment="InventoryState.dump(), compressed: folds begin with it"),
    comment="Where two histories of an event were made one",
)

answered = Table(
    "answered",
    metadata,
    Column("event_id", String(64), primary_key=True, comment="no foreign key: SQL may have lost the event"),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("lowest_seq", BigInteger, comment="the lowest one that a buyer was told of; null where it is not known"),
    Column("seq", BigInteger, nullable=False),
    Column("settled_seq", BigInteger, comment="up to where losses were put to rest"),
    Column("settled_ms", BigInteger),
    Column("settled_by", Text),
    Column("settled_why", Text),
    comment="The highest position that a buyer was told of; what is recorded nowhere below it was lost",
)

audit = Table(
    "audit",
    metadata,
    # SQLite numbers rows by itself only where the type is INTEGER.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("address", String(64)),
    Column("request_id", String(64)),
    Column("action", String(32), nullable=False),
    Column("event_id", String(64), comment="no foreign key: acts outlive events"),
    Column("target", String(255), comment="what of the event; null for the event itself"),
    Column("before", String(255)),
    Column("after", String(255)),
    Column("why", String(1000)),
    Column("position", String(40), comment="of the log entry that the act made; null for none"),
    UniqueConstraint("event_id", "position", name="uq_audit_position"),
    comment="Acts of operators; those with a position are written with their entry in the ledger",
)

webhooks = Table(
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

webhook_cursors = Table(
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

webhook_notices = Table(
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

database_identity = Table(
    "database_identity",
    metadata,
    Column("id", String(16), primary_key=True),
    comment="One row, made with the database: tells it from one that was made in its place",
)
