"""The tables, all with the prefix `idv_`. All times are UTC. What is sealed is encrypted (see `sealing`).

Platforms with migrations of their own include `metadata`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

FORMAT = 1
"""How rows are to be read. A worker leaves rows of a later format to those who know it."""


class Utc(TypeDecorator[datetime]):
    """An aware moment. SQLite keeps it as text in UTC, which sorts as the moments do."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime with a time zone is needed")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


def _verification_id(**more: Any) -> Column[str]:
    return Column("verification_id", String(26), ForeignKey("idv_verification.id"), nullable=False, **more)


verifications = Table(
    "idv_verification",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("format", SmallInteger, nullable=False, server_default=text("1")),
    # an empty text where there is no tenant, for NULL would not be unique
    Column("tenant", String(200), nullable=False),
    Column("application_id", String(200), nullable=False),
    Column("product", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("account", String(200)),
    Column("flow_id", String(1000)),
    Column("ref", String(1200)),
    Column("policy", String(300)),
    Column("decision", String(20)),
    Column("round", Integer, nullable=False),
    Column("due", Utc),
    Column("turn", _NUMBER, nullable=False),
    Column("worker", String(100)),
    # how much has come in, and how much of it the last turn knew of
    Column("hints", _NUMBER, nullable=False),
    Column("seen", _NUMBER, nullable=False),
    Column("tries", Integer, nullable=False),
    # how often an account was asked, when the last time, and at which one alone it is to be opened again
    Column("attempts", Integer, nullable=False),
    Column("asked_at", Utc),
    Column("only_account", String(200)),
    Column("created_at", Utc, nullable=False),
    Column("deadline", Utc, nullable=False),
    Column("decided_at", Utc),
    Column("retain_until", Utc),
    Column("erasure_asked_at", Utc),
    Column("erased_at", Utc),
    # the last event's number and digest
    Column("seq", Integer, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("data_key", LargeBinary),
    Column("sealed_order", LargeBinary),
    Column("sealed_flow", LargeBinary),
    Column("sealed_result", LargeBinary),
    UniqueConstraint("tenant", "application_id"),
    Index("ix_idv_verification_flow", "account", "flow_id"),
    Index("ix_idv_verification_application", "application_id"),
    Index("ix_idv_verification_state", "state"),
    Index(
        "ix_idv_verification_due",
        "due",
        postgresql_where=text("due IS NOT NULL"),
        sqlite_where=text("due IS NOT NULL"),
    ),
)

flows = Table(
    "idv_flow",
    metadata,
    _verification_id(primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("account", String(200), nullable=False),
    Column("flow_id", String(1000), nullable=False),
    Column("ref", String(1200), nullable=False),
    Column("role", String(20), nullable=False),
    Column("opened_at", Utc, nullable=False),
    # what the vendor said when it was asked to erase, and when it was asked
    Column("erasure", String(20)),
    Column("erasure_at", Utc),
    Index("ix_idv_flow_account", "account", "flow_id"),
)

events = Table(
    "idv_event",
    metadata,
    # numbers of all events together, for the seals
    Column("n", _NUMBER, primary_key=True, autoincrement=True),
    _verification_id(),
    Column("seq", Integer, nullable=False),
    Column("at", Utc, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("data", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    UniqueConstraint("verification_id", "seq"),
)

hints = Table(
    "idv_hint",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("received_at", Utc, nullable=False, index=True),
    Column("account", String(200), nullable=False),
    Column("event", String(80), nullable=False),
    Column("proved", String(20), nullable=False),
    Column("application_id", String(200)),
    Column("flow_id", String(1000)),
    Column("ref", String(1200)),
    Column("verification_id", String(26), index=True),
    # where it says what the flow is, or what a person wants done: when that was carried out
    Column("done_at", Utc),
    Index("ix_idv_hint_flow", "account", "flow_id"),
)

deliveries = Table(
    "idv_delivery",
    metadata,
    Column("id", String(40), primary_key=True),
    _verification_id(),
    Column("endpoint", String(100), nullable=False),
    Column("type", String(60), nullable=False),
    Column("round", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("due", Utc),
    Column("turn", _NUMBER, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("last_status", Integer),
    Column("done_at", Utc),
    Column("dead_at", Utc),
    UniqueConstraint("verification_id", "endpoint", "type", "round"),
    Index(
        "ix_idv_delivery_due",
        "due",
        postgresql_where=text("due IS NOT NULL"),
        sqlite_where=text("due IS NOT NULL"),
    ),
)

openings = Table(
    "idv_opening",
    metadata,
    Column("account", String(200), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("count", Integer, nullable=False),
)

pace = Table(
    "idv_pace",
    metadata,
    Column("account", String(200), primary_key=True),
    Column("free_at", Utc, nullable=False),
)

seals = Table(
    "idv_seal",
    metadata,
    Column("n", Integer, primary_key=True),
    Column("at", Utc, nullable=False),
    # the last event that it covers, and how many verifications had one by then
    Column("upto", _NUMBER, nullable=False),
    Column("count", _NUMBER, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)

secrets = Table(
    "idv_secret",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)
