"""What the service keeps besides the ledger, in the same database: keys, users, requests, reviews, facts for the report and
their sums.

No column holds personal data in clear.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

from ..ledger.tables import Utc
from ..ledger.tables import metadata as of_ledger

metadata = MetaData(naming_convention=of_ledger.naming_convention)

keys = Table(
    "idv_key",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("scopes", String(200), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("used_at", Utc),
    Column("revoked_at", Utc),
)

requests = Table(
    "idv_request",
    metadata,
    Column("key_id", String(12), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("begun_at", Utc, nullable=False, index=True),
    # both are there once it was answered
    Column("status", Integer),
    Column("sealed_answer", LargeBinary),
)

users = Table(
    "idv_user",
    metadata,
    Column("name", String(80), primary_key=True),
    # none where a proxy says who it is
    Column("password", String(200)),
    Column("roles", String(200), nullable=False),
    Column("created_at", Utc, nullable=False),
)

sessions = Table(
    "idv_session",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user", String(80), nullable=False, index=True),
    Column("created_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
)

reviews = Table(
    "idv_review",
    metadata,
    Column("verification_id", String(26), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("claimed_by", String(80)),
    Column("claimed_at", Utc),
    Column("asked_for", String(60)),
    Column("asked_at", Utc),
    # what one person wants and another is to confirm
    Column("proposed", String(20)),
    Column("proposed_by", String(80)),
    Column("proposed_at", Utc),
    Column("outcome", String(20)),
    Column("author", String(80)),
    Column("confirmed_by", String(80)),
    Column("decided_at", Utc),
    # why it was decided, or is proposed; sealed by the data key of the verification, so that it is erased with it
    Column("sealed_reason", LargeBinary),
)

reasons = Table(
    "idv_review_reason",
    metadata,
    # the event that it is the reason of
    Column("verification_id", String(26), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

facts = Table(
    "idv_fact",
    metadata,
    Column("verification_id", String(26), primary_key=True),
    # the last event that is counted in
    Column("seq", Integer, nullable=False),
    Column("product", String(200), nullable=False),
    # as they stand in the verification; no state: made by an older release, and still to be counted
    Column("state", String(20)),
    Column("decision", String(20)),
    Column("account", String(200)),
    # the account that the route sent it to, whoever has it now
    Column("assigned", String(200)),
    Column("shadow", String(200)),
    Column("shadow_status", String(20)),
    Column("route", String(200)),
    Column("country", String(2)),
    Column("document", String(60)),
    Column("created_at", Utc, nullable=False),
    Column("opened_at", Utc),
    Column("started_at", Utc),
    # the first decision, also where it was reopened since
    Column("completed_at", Utc),
    Column("ended_at", Utc),
    Column("outcome", String(20)),
    # milliseconds from opened to completed
    Column("took", BigInteger),
    # whether it was sent to review, and nobody has decided it yet
    Column("is_waiting", Boolean),
    # whether it was completed within a day of the order
    Column("is_prompt", Boolean),
    # whether the assigned account failed, or nobody could tell whether it had opened a flow
    Column("is_faulty", Boolean),
    Index("ix_idv_fact_created", "created_at"),
    Index("ix_idv_fact_route", "route", "created_at"),
)

details = Table(
    "idv_fact_detail",
    metadata,
    # what happened in a verification, and at which account: errors, reasons, accounts that were asked in vain
    Column("verification_id", String(26), primary_key=True),
    Column("account", String(200), primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("code", String(100), primary_key=True),
)

counts = Table(
    "idv_count",
    metadata,
    # sums over the facts, changed together with them: verifications by the UTC day of the order, account and product, with one
    # word of a kind: a state, a decision, how long it took
    Column("kind", String(10), primary_key=True),
    Column("day", String(10), primary_key=True),
    # an empty text where there is none, for NULL would not be unique
    Column("account", String(200), primary_key=True),
    Column("product", String(200), primary_key=True),
    Column("word", String(20), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

marks = Table(
    "idv_mark",
    metadata,
    # how far the facts have read the events (see `facts.Mark`)
    Column("name", String(20), primary_key=True),
    Column("event", Text, nullable=False),
)
