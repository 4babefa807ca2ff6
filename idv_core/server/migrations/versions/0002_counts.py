"""Facts say more, and have sums beside them. Facts of older releases are made anew by the next refresh.

Besides: indexes on the ledger's tables, for what the overview counts and the list looks up.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("idv_fact") as batch:
        batch.add_column(sa.Column("state", sa.String(length=20), nullable=True))
        batch.add_column(sa.Column("decision", sa.String(length=20), nullable=True))
        batch.add_column(sa.Column("assigned", sa.String(length=200), nullable=True))
        batch.add_column(sa.Column("shadow", sa.String(length=200), nullable=True))
        batch.add_column(sa.Column("shadow_status", sa.String(length=20), nullable=True))
        batch.add_column(sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("took", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("is_waiting", sa.Boolean(), nullable=True))
        batch.add_column(sa.Column("is_prompt", sa.Boolean(), nullable=True))
        batch.add_column(sa.Column("is_faulty", sa.Boolean(), nullable=True))
        batch.drop_column("troubles")
        batch.drop_column("unknowns")
        batch.create_index("ix_idv_fact_route", ["route", "created_at"], unique=False)
    op.create_table(
        "idv_fact_detail",
        sa.Column("verification_id", sa.String(length=26), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("verification_id", "account", "kind", "code", name=op.f("pk_idv_fact_detail")),
    )
    op.create_table(
        "idv_count",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("product", sa.String(length=200), nullable=False),
        sa.Column("word", sa.String(length=20), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "day", "account", "product", "word", name=op.f("pk_idv_count")),
    )
    op.execute("DELETE FROM idv_mark WHERE name = 'facts'")
    dead = sa.text("dead_at IS NOT NULL")
    op.create_index("ix_idv_flow_id", "idv_flow", ["flow_id"])
    if op.get_context().dialect.name == "postgresql":
        # for how an id begins; the other index sorts by the language of the database
        begins = {"application_id": "text_pattern_ops"}
        op.create_index("ix_idv_verification_begins", "idv_verification", ["application_id"], postgresql_ops=begins)
    op.create_index("ix_idv_delivery_dead", "idv_delivery", ["dead_at"], postgresql_where=dead, sqlite_where=dead)
