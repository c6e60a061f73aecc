"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Decisions, feedback, use by day, responses."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created", moment, nullable=False),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("category", sa.Text),
        sa.Column("expert", sa.Text),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("cost_usd", sa.Float, nullable=False),
        sa.Column("total_ms", sa.Float, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("decisions_created", "decisions", ["created"])
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("decision", sa.String(64), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.Column("expert", sa.Text),
        sa.Column("score", sa.Float),
        sa.Column("category", sa.Text),
        sa.Column("comment", sa.Text),
    )
    op.create_index("feedback_decision", "feedback", ["decision"])
    op.create_index("feedback_created", "feedback", ["created"])
    op.create_table(
        "use_by_day",
        sa.Column("caller", sa.String(64), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_usd", sa.Float, nullable=False),
    )
    op.create_table(
        "responses",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created", moment, nullable=False),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("items", sa.Text, nullable=False),
    )
    op.create_index("responses_created", "responses", ["created"])


def downgrade() -> None:
    """All of it."""
    for name in ("responses", "use_by_day", "feedback", "decisions"):
        op.drop_table(name)
