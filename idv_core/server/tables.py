"""What the service keeps besides the ledger, in the same database: keys, users, requests, reviews, facts for the report.

No column holds personal data in clear.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

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
    Column("account", String(200)),
    Column("route", String(200)),
    Column("country", String(2)),
    Column("document", String(60)),
    Column("created_at", Utc, nullable=False),
    Column("opened_at", Utc),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    Column("outcome", String(20)),
    Column("troubles", Integer, nullable=False),
    Column("unknowns", Integer, nullable=False),
    Index("ix_idv_fact_created", "created_at"),
)

marks = Table(
    "idv_mark",
    metadata,
    # how far the facts have read the events
    Column("name", String(20), primary_key=True),
    Column("event", Text, nullable=False),
)
