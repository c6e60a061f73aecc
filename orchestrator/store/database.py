"""One database: its address, its connections, its tables brought up to date. Knows no decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator.errors import RunError

__all__ = ["address_of", "brought_up_to_date", "connected"]

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_MIGRATIONS = Path(__file__).parent / "migrations"
CONNECT_S = 5.0
"""Longest wait for a connection, and for a lock of another process."""


def address_of(url: str, folder: Path) -> URL:
    """The address with the driver that it is spoken to with; a file's path starts in the configuration's folder.

    Raises:
        RunError: it is no address of SQLite or Postgres.

    """
    try:
        given = make_url(url)
    except ArgumentError as error:
        raise RunError("serve.store is no URL of a database, such as sqlite:///state.db") from error
    driver = _DRIVERS.get(given.get_backend_name())
    if driver is None:
        message = f"serve.store: {given.get_backend_name()!r} is not supported; use sqlite:///FILE or postgresql://..."
        raise RunError(message)
    given = given.set(drivername=driver)
    if driver.startswith("sqlite") and given.database and given.database != ":memory:":
        given = given.set(database=str(folder / given.database))
    return given


def connected(address: URL) -> AsyncEngine:
    """An engine; nothing is connected yet."""
    if address.drivername.startswith("sqlite"):
        engine = create_async_engine(address, connect_args={"timeout": CONNECT_S})
        event.listen(engine.sync_engine, "connect", _tuned)
        return engine
    timeouts = {"timeout": CONNECT_S, "command_timeout": 4 * CONNECT_S}
    return create_async_engine(address, pool_size=2, max_overflow=2, pool_pre_ping=True, connect_args=timeouts)


async def brought_up_to_date(engine: AsyncEngine) -> None:
    """Make the tables, or change them to what this version needs; what is there stays."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _tuned(connection: Any, _: Any) -> None:
    """A write-ahead log: readers do not wait for the writer, and a process that is killed leaves the file whole."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
