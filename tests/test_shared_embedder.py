"""The embedders of a process: what waits together is embedded together, but never much at a time."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from anyio import to_thread

from orchestrator.embedders import MOST_TEXTS, Embedders
from routers.embedding import FloatArray
from routers.embedding.turns import Turns

pytestmark = pytest.mark.anyio


class Lengths:
    """Embeds a text as its length; keeps the size of each call; the first waits for `go`."""

    dim = 1
    fingerprint = "lengths"

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def embed(self, texts: Sequence[str]) -> FloatArray:
        self.calls.append(len(texts))
        self.begun.set()
        self.go.wait(5)
        return np.array([[len(text)] for text in texts], dtype=np.float32).reshape(-1, 1)


async def test_texts_that_wait_together_are_embedded_a_few_at_a_time(monkeypatch: Any) -> None:
    """Ours: a classifier that competes for the model waits for one small call, however much is being indexed."""
    lengths = Lengths()
    monkeypatch.setattr("orchestrator.embedders.load_embedder", lambda *_, **__: lengths)
    embedders = Embedders(Path())
    sizes = (7, 0, 40, 1, 9)
    rows: dict[int, list[float]] = {}

    async def ask(size: int) -> None:
        rows[size] = (await served.embed(["x" * (size + n) for n in range(size)])).ravel().tolist()

    with anyio.fail_after(5):
        async with embedders.background.open(), anyio.create_task_group() as group:
            served = embedders("lengths")
            group.start_soon(served.embed, ["first"])
            await to_thread.run_sync(lengths.begun.wait)
            for size in sizes:
                group.start_soon(ask, size)
            await anyio.wait_all_tasks_blocked()
            lengths.go.set()
    assert rows == {size: [float(size + n) for n in range(size)] for size in sizes}
    assert lengths.calls == [1, MOST_TEXTS, MOST_TEXTS, MOST_TEXTS, sum(sizes) - 3 * MOST_TEXTS]


def test_a_thread_that_waits_is_next_whoever_is_quicker() -> None:
    """Ours: between two slices of an index, the classifier gets in; with a plain lock hundreds may pass."""
    turns, order = Turns(), list[str]()

    def compete() -> None:
        with turns:
            order.append("query")

    query = threading.Thread(target=compete)
    with turns:
        query.start()
        _until_awaited(turns, 1)
    for _ in range(5):
        with turns:
            order.append("slice")
    query.join(5)
    assert order == ["query", *["slice"] * 5]


def test_turns_are_given_in_the_order_of_asking_and_one_at_a_time() -> None:
    """Ours: also where the work of a turn fails."""
    turns, order, inside = Turns(), list[int](), 0
    threads = []

    def work(number: int) -> None:
        nonlocal inside
        with suppress(ZeroDivisionError), turns:
            inside += 1
            order.append(number * inside)
            inside -= 1
            _ = 1 / inside

    with turns:
        for number in range(1, 6):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            _until_awaited(turns, number)
    for thread in threads:
        thread.join(5)
    assert order == [1, 2, 3, 4, 5]
    with turns:
        assert turns.awaited == 0


def _until_awaited(turns: Turns, count: int) -> None:
    late = time.monotonic() + 5
    while turns.awaited < count:
        assert time.monotonic() < late, "nobody waits"
