"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "idv_hint",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("event", sa.String(length=80), nullable=False),
        sa.Column("proved", sa.String(length=20), nullable=False),
        sa.Column("application_id", sa.String(length=200), nullable=True),
        sa.Column("flow_id", sa.String(length=1000), nullable=True),
        sa.Column("ref", sa.String(length=1200), nullable=True),
        sa.Column("verification_id", sa.String(length=26), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_idv_hint")),
    )
    op.create_index("ix_idv_hint_flow", "idv_hint", ["account", "flow_id"], unique=False)
    op.create_index(op.f("ix_idv_hint_received_at"), "idv_hint", ["received_at"], unique=False)
    op.create_index(op.f("ix_idv_hint_verification_id"), "idv_hint", ["verification_id"], unique=False)
    op.create_table(
        "idv_opening",
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account", "day", name=op.f("pk_idv_opening")),
    )
    op.create_table(
        "idv_pace",
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_idv_pace")),
    )
    op.create_table(
        "idv_seal",
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("upto", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_idv_seal")),
    )
    op.create_table(
        "idv_secret",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_idv_secret")),
    )
    op.create_table(
        "idv_verification",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("format", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("tenant", sa.String(length=200), nullable=False),
        sa.Column("application_id", sa.String(length=200), nullable=False),
        sa.Column("product", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=True),
        sa.Column("flow_id", sa.String(length=1000), nullable=True),
        sa.Column("ref", sa.String(length=1200), nullable=True),
        sa.Column("policy", sa.String(length=300), nullable=True),
        sa.Column("decision", sa.String(length=20), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("turn", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("worker", sa.String(length=100), nullable=True),
        sa.Column("hints", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seen", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("only_account", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retain_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erasure_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_order", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_flow", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_result", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idv_verification")),
        sa.UniqueConstraint("tenant", "application_id", name=op.f("uq_idv_verification_tenant")),
    )
    op.create_index("ix_idv_verification_application", "idv_verification", ["application_id"], unique=False)
    op.create_index(
        "ix_idv_verification_due",
        "idv_verification",
        ["due"],
        unique=False,
        postgresql_where=sa.text("due IS NOT NULL"),
        sqlite_where=sa.text("due IS NOT NULL"),
    )
    op.create_index("ix_idv_verification_flow", "idv_verification", ["account", "flow_id"], unique=False)
    op.create_index("ix_idv_verification_state", "idv_verification", ["state"], unique=False)
    op.create_table(
        "idv_delivery",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("verification_id", sa.String(length=26), nullable=False),
        sa.Column("endpoint", sa.String(length=100), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("turn", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["verification_id"], ["idv_verification.id"], name=op.f("fk_idv_delivery_verification_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idv_delivery")),
        sa.UniqueConstraint(
            "verification_id", "endpoint", "type", "round", name=op.f("uq_idv_delivery_verification_id")
        ),
    )
    op.create_index(
        "ix_idv_delivery_due",
        "idv_delivery",
        ["due"],
        unique=False,
        postgresql_where=sa.text("due IS NOT NULL"),
        sqlite_where=sa.text("due IS NOT NULL"),
    )
    op.create_table(
        "idv_event",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("verification_id", sa.String(length=26), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["verification_id"], ["idv_verification.id"], name=op.f("fk_idv_event_verification_id")
        ),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_idv_event")),
        sa.UniqueConstraint("verification_id", "seq", name=op.f("uq_idv_event_verification_id")),
    )
    op.create_table(
        "idv_flow",
        sa.Column("verification_id", sa.String(length=26), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("flow_id", sa.String(length=1000), nullable=False),
        sa.Column("ref", sa.String(length=1200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erasure", sa.String(length=20), nullable=True),
        sa.Column("erasure_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["verification_id"], ["idv_verification.id"], name=op.f("fk_idv_flow_verification_id")),
        sa.PrimaryKeyConstraint("verification_id", "n", name=op.f("pk_idv_flow")),
    )
    op.create_index("ix_idv_flow_account", "idv_flow", ["account", "flow_id"], unique=False)


def downgrade() -> None:
    op.drop_table("idv_flow")
    op.drop_table("idv_event")
    op.drop_table("idv_delivery")
    op.drop_table("idv_verification")
    op.drop_table("idv_secret")
    op.drop_table("idv_seal")
    op.drop_table("idv_pace")
    op.drop_table("idv_opening")
    op.drop_table("idv_hint")
