"""What is kept of requests in a database: written beside the answers, once, and let go of when it is old."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import create_async_engine

from orchestrator.conversation.turns import turn_of
from orchestrator.decision import Attempt, TokenCount
from orchestrator.errors import RunError
from orchestrator.store.database import address_of
from orchestrator.store.rows import Ended
from orchestrator.store.store import Store
from orchestrator.store.tables import DECISIONS, FEEDBACK
from orchestrator.trace import Trace
from orchestrator.usage.lines import FeedbackLine
from tests.store.databases import Postgres

pytestmark = pytest.mark.anyio


def ended(query: str = "hi", *, caller: str = "", content: bool = False) -> Ended:
    """A request that was answered for 3 and 2 tokens, and half a dollar."""
    trace = Trace(model="auto", turn=turn_of([{"role": "user", "content": query}]))
    tokens = TokenCount(input=3, output=2)
    trace.attempts.append(
        Attempt(expert="a", role="answer", outcome="answered", tokens=tokens, cost_usd=0.5, took_ms=1.0)
    )
    trace.expert = "a"
    trace.close()
    return Ended(trace, content, caller)


@asynccontextmanager
async def opened(url: str, *, keep_days: float = 30, most_waiting: int = 100) -> AsyncIterator[Store]:
    store = Store(address_of(url, Path()), keep_days=keep_days, content=False, most_waiting=most_waiting)
    with anyio.fail_after(60):
        async with store.open():
            yield store


async def until(holds: Callable[[], object]) -> None:
    """Another task writes: nothing says when."""
    with anyio.fail_after(30):
        while not holds():  # noqa: ASYNC110 - as said
            await anyio.sleep(0.01)


async def counted(url: str, table: object) -> int:
    engine = create_async_engine(address_of(url, Path()))
    try:
        async with engine.connect() as connection:
            return int(await connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]
    finally:
        await engine.dispose()


async def test_a_decision_outlives_the_service(url: str) -> None:
    """Without content: the same decision, from another process's store."""
    one = ended("a secret")
    async with opened(url) as store:
        store.decided(one)
    async with opened(url) as store:
        found = await store.decision(one.trace.id)
        nothing = await store.decision("dec-none")
    assert found == one.trace.decision().without_content()
    assert nothing is None


async def test_texts_are_kept_where_that_is_wanted(url: str) -> None:
    """And what no database takes does not stop the rest."""
    odd = ended("nul \x00 and \ud800 too", content=True)
    plain = ended("plain", content=True)
    async with opened(url) as store:
        for one in (odd, plain):
            store.decided(one)
        await until(lambda: store.health.written == 2)
        found = await store.decision(plain.trace.id)
    assert found is not None
    assert found.query == "plain"


async def test_use_is_summed_by_caller_and_day(url: str) -> None:
    """Batch upon batch."""
    me, you = f"key-{uuid4().hex[:8]}", f"key-{uuid4().hex[:8]}"
    async with opened(url) as store:
        for caller, times in ((me, 3), (you, 1)):
            for _ in range(times):
                store.decided(ended(caller=caller))
        await until(lambda: store.health.written == 4)
        store.decided(ended(caller=me))
        await until(lambda: store.health.written == 5)
        rows = {row["caller"]: row for row in await store.use(since=datetime.now(UTC))}
    shown = {k: v for k, v in rows[me].items() if k not in {"caller", "day"}}
    assert shown == {"requests": 4, "failed": 0, "input_tokens": 12, "output_tokens": 8, "cost_usd": 2.0}
    assert rows[you]["requests"] == 1


async def test_a_batch_that_comes_twice_counts_once(url: str) -> None:
    """Specified: a commit whose end was not heard of is written again."""
    caller = f"key-{uuid4().hex[:8]}"
    one = ended(caller=caller)
    async with opened(url) as store:
        store.decided(one)
        await until(lambda: store.health.written == 1)
        store.decided(one)
        store.decided(ended(caller=caller))
        await until(lambda: store.health.written == 3)
        (row,) = [row for row in await store.use(since=datetime.now(UTC)) if row["caller"] == caller]
    assert row["requests"] == 2


async def test_responses_are_at_hand_at_once_and_their_callers_alone(url: str) -> None:
    """Clients go on from one before it is written; nobody goes on from another's."""
    name = f"resp_{uuid4().hex}"
    async with opened(url) as store:
        store.responded(name, "me", [{"role": "user", "content": "x"}])
        assert await store.response(name, "me") == [{"role": "user", "content": "x"}]
    async with opened(url) as store:
        assert await store.response(name, "me") == [{"role": "user", "content": "x"}]
        assert await store.response(name, "you") is None


async def test_what_is_old_is_let_go_of(url: str) -> None:
    """Decisions and feedback after `keep_days`; sums of use stay."""
    caller = f"key-{uuid4().hex[:8]}"
    old, new = ended(caller=caller), ended(caller=caller)
    line = FeedbackLine(time=datetime.now(UTC) - timedelta(days=40), decision=old.trace.id, expert="a", score=1.0)
    async with opened(url) as store:
        for item in (old, new):
            store.decided(item)
        store.told(line)
        await until(lambda: store.health.written == 3)
    engine = create_async_engine(address_of(url, Path()))
    async with engine.begin() as connection:
        long_ago = datetime.now(UTC) - timedelta(days=31)
        await connection.execute(update(DECISIONS).where(DECISIONS.c.id == old.trace.id).values(created=long_ago))
    await engine.dispose()
    async with opened(url) as store:
        await store.forget(datetime.now(UTC) - timedelta(days=30))
        assert await store.decision(old.trace.id) is None
        assert await store.decision(new.trace.id) is not None
        (row,) = [row for row in await store.use(since=datetime.now(UTC)) if row["caller"] == caller]
    assert row["requests"] == 2
    assert await counted(url, FEEDBACK) == 0


async def test_a_database_that_is_gone_stops_nothing_and_gets_all_once_it_is_back(postgres: Postgres) -> None:
    """Specified: answers go on; what waited is written, what did not fit is counted."""
    async with opened(postgres.url, most_waiting=5) as store:
        store.decided(ended())
        await until(lambda: store.health.written == 1)
        postgres.kill()
        try:
            lost = [ended() for _ in range(12)]
            for one in lost:
                store.decided(one)
            await until(lambda: store.health.failing)
            with pytest.raises(RunError, match="does not answer"):
                await store.decision("dec-none")
        finally:
            postgres.start()
        await until(lambda: not store.health.failing)
        await until(lambda: store.health.written + store.health.lost == 13)
        assert store.health.lost > 0
        kept = [await store.decision(one.trace.id) for one in lost]
    assert sum(one is not None for one in kept) == store.health.written - 1


async def test_a_file_that_cannot_be_written_loses_rows_and_no_answers(tmp_path: Path) -> None:
    """The folder is none: said in health, and counted when the service ends without having written."""
    (tmp_path / "file").write_text("")
    async with opened(f"sqlite:///{tmp_path / 'file' / 'state.db'}") as store:
        store.decided(ended())
        await until(lambda: store.health.failing)
        assert "unable to open database file" in store.health.failing


@pytest.mark.parametrize("url", ["mysql://host/name", "no url", "sqlite+pysqlcipher:///x"])
def test_other_databases_are_refused(url: str) -> None:
    """With what may stand there."""
    if url.startswith("sqlite"):
        assert address_of(url, Path("/there")).drivername == "sqlite+aiosqlite"
        return
    with pytest.raises(RunError, match=r"serve\.store"):
        address_of(url, Path())
