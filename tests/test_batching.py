"""Batches of blocking work: nothing lost, nothing mixed up, nobody held."""

from threading import Event

import anyio
import pytest

from orchestrator.batching import Batcher

pytestmark = pytest.mark.anyio


async def test_every_item_gets_its_own_result() -> None:
    """A thousand callers at once: none lost, none given another's."""
    batcher: Batcher[int, int] = Batcher(lambda items: [item * 2 for item in items], max_batch=7)
    results: dict[int, int] = {}

    async def one(item: int) -> None:
        results[item] = await batcher.submit(item)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as server:
            server.start_soon(batcher.serve)
            async with anyio.create_task_group() as callers:
                for item in range(1000):
                    callers.start_soon(one, item)
            server.cancel_scope.cancel()
    assert results == {item: item * 2 for item in range(1000)}


async def test_what_waits_is_batched() -> None:
    """While one batch runs the next one gathers, up to `max_batch` items."""
    sizes: list[int] = []
    go = Event()

    def run(items: list[int]) -> list[int]:
        go.wait(5)
        sizes.append(len(items))
        return items

    batcher: Batcher[int, int] = Batcher(run, max_batch=4)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as server:
            server.start_soon(batcher.serve)
            async with anyio.create_task_group() as callers:
                for item in range(9):
                    callers.start_soon(batcher.submit, item)
                await anyio.wait_all_tasks_blocked()
                go.set()
            server.cancel_scope.cancel()
    assert sum(sizes) == 9
    assert max(sizes) == 4


async def test_an_error_fails_its_batch_and_not_the_worker() -> None:
    """The callers of a broken batch get its error; the next caller gets a result."""

    def run(items: list[int]) -> list[int]:
        if 0 in items:
            raise ZeroDivisionError
        return items

    batcher: Batcher[int, int] = Batcher(run)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as server:
            server.start_soon(batcher.serve)
            with pytest.raises(ZeroDivisionError):
                await batcher.submit(0)
            assert await batcher.submit(1) == 1
            server.cancel_scope.cancel()


async def test_a_caller_can_leave_while_its_batch_runs() -> None:
    """Cancelling does not wait for the thread."""
    started, go = Event(), Event()

    def run(items: list[int]) -> list[int]:
        started.set()
        go.wait(5)
        return items

    batcher: Batcher[int, int] = Batcher(run)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as server:
            server.start_soon(batcher.serve)
            async with anyio.create_task_group() as caller:
                caller.start_soon(batcher.submit, 1)
                await anyio.to_thread.run_sync(started.wait)
                caller.cancel_scope.cancel()
            assert not go.is_set()
            go.set()
            assert await batcher.submit(2) == 2
            server.cancel_scope.cancel()
