"""The history of the tables, which alembic brings a database up to."""
