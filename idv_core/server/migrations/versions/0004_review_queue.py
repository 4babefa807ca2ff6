"""An index on the ledger's table for what waits for a person, in the order of the queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # as `reviews` asks for it
    is_review = sa.text("decision = 'review' AND erased_at IS NULL")
    op.create_index(
        "ix_idv_verification_review",
        "idv_verification",
        ["state", "decided_at"],
        postgresql_where=is_review,
        sqlite_where=is_review,
    )
