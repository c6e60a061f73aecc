"""The tables. Changes of them come as migrations beside this module (`migrations/versions`)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, DateTime, Float, Index, Integer, MetaData, String, Table, Text

__all__ = ["DECISIONS", "FEEDBACK", "METADATA", "RESPONSES", "USE"]

METADATA = MetaData()

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("caller", String(64), nullable=False),
    Column("model", Text, nullable=False),
    Column("category", Text),
    Column("expert", Text),
    Column("outcome", String(16), nullable=False),
    Column("cost_usd", Float, nullable=False),
    Column("total_ms", Float, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("decisions_created", "created"),
)
"""One row a request that has ended; `body` is the whole decision as JSON. caller: the key's id, empty without keys."""

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("decision", String(64), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("expert", Text),
    Column("score", Float),
    Column("category", Text),
    Column("comment", Text),
    Index("feedback_decision", "decision"),
    Index("feedback_created", "created"),
)
"""One row each time somebody said something; of several on one expert's part in one decision the last counts."""

USE = Table(
    "use_by_day",
    METADATA,
    Column("caller", String(64), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_usd", Float, nullable=False),
)
"""Sums by caller and UTC day. They stay when decisions are too old to be kept."""

RESPONSES = Table(
    "responses",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("caller", String(64), nullable=False),
    Column("items", Text, nullable=False),
    Index("responses_created", "created"),
)
"""Of the Responses API: the whole conversation up to and with a response, as JSON of input items."""
