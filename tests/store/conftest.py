"""One Postgres for all tests of the store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.databases import Postgres, postgres_folder


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A running server."""
    programs = postgres_folder()
    if programs is None:
        pytest.skip("no Postgres on this machine (initdb)")
    with Postgres(tmp_path_factory.mktemp("postgres"), programs) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database: a fresh file, or the server's, whose tables are emptied."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.url
