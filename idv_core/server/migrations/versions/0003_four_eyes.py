"""A decision that a second person confirms; the reason of each step of a review."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("idv_review") as review:
        review.add_column(sa.Column("proposed", sa.String(length=20), nullable=True))
        review.add_column(sa.Column("proposed_by", sa.String(length=80), nullable=True))
        review.add_column(sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=True))
        review.add_column(sa.Column("confirmed_by", sa.String(length=80), nullable=True))
    op.create_table(
        "idv_review_reason",
        sa.Column("verification_id", sa.String(length=26), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("verification_id", "seq", name=op.f("pk_idv_review_reason")),
    )
