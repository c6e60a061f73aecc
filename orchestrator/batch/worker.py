"""Works through batches, one after the other, beside the service's other requests; gone on with after a restart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import anyio
import httpx
import structlog
from anyio import to_thread

from orchestrator.batch.lines import BadBatch, Line, read_lines
from orchestrator.batch.output import Answer, Output, opened
from orchestrator.batch.records import Batch, BatchError, BatchErrors, Counts
from orchestrator.batch.running import run
from orchestrator.batch.shelf import Shelf

__all__ = ["Worker"]

log = structlog.get_logger()

SAVE_EVERY = 20
"""Answers between two looks at how far a batch is, as a client sees it."""
CLEAN_EVERY_S = 3600.0

Clients = Callable[[str], AbstractAsyncContextManager[httpx.AsyncClient]]
"""By caller a client of the service, whose requests are that caller's."""


class Worker:
    """Works while `serve` runs. concurrency: requests of batches at once. days: for which all of it is kept."""

    def __init__(self, shelf: Shelf, clients: Clients, *, concurrency: int, deadline_s: float, days: float) -> None:
        self._shelf = shelf
        self._clients = clients
        self._concurrency = concurrency
        self._deadline_s = deadline_s
        self._days = days
        self._given = anyio.Event()
        self._under_way: tuple[str, anyio.CancelScope] | None = None

    def begin(self) -> None:
        """There is a new batch."""
        self._given.set()

    def cancel(self, caller: str, batch: Batch) -> Batch:
        """End a batch: the requests under way are given up, what was answered stays."""
        if batch.over:
            return batch
        batch.become("cancelling")
        self._shelf.keep(caller, batch)
        if self._under_way is not None and self._under_way[0] == batch.id:
            self._under_way[1].cancel()
        self._given.set()
        return batch

    async def serve(self) -> None:
        """Until cancelled."""
        while True:
            self._given = anyio.Event()
            for caller, batch in await to_thread.run_sync(self._shelf.unfinished):
                await self._supervised(caller, batch)
            await to_thread.run_sync(lambda: self._shelf.clean(days=self._days))
            with anyio.move_on_after(CLEAN_EVERY_S):
                await self._given.wait()

    async def _supervised(self, caller: str, batch: Batch) -> None:
        try:
            await self._work(caller, batch)
        except Exception as error:  # supervised: the batches after this one
            log.exception("batch.failed", batch=batch.id)
            self._fail(
                caller, batch, [BatchError(code="server_error", message=f"it broke off: {type(error).__name__}")]
            )

    async def _work(self, caller: str, batch: Batch) -> None:
        if batch.status == "cancelling":
            self._end(caller, batch, cancelled=True)
            return
        try:
            lines = await to_thread.run_sync(self._lines, batch)
        except (BadBatch, FileNotFoundError) as error:
            problems = error.problems if isinstance(error, BadBatch) else ["the file is gone"]
            self._fail(caller, batch, [BatchError(message=problem) for problem in problems])
            return
        for name in ("output_file_id", "error_file_id"):
            if getattr(batch, name) is None:
                made = self._shelf.new_file(caller, f"{batch.id}_{name.split('_')[0]}.jsonl", "batch_output")
                setattr(batch, name, made.id)
        if batch.status == "validating":
            batch.become("in_progress")
        self._shelf.keep(caller, batch)
        with anyio.CancelScope() as scope:
            self._under_way = batch.id, scope
            try:
                await self._ask(caller, batch, lines)
            finally:
                self._under_way = None
        self._end(caller, batch, cancelled=scope.cancelled_caught)

    def _lines(self, batch: Batch) -> list[Line]:
        with self._shelf.lines(batch.input_file_id).open("rb") as file:
            return read_lines(file, "line", url=batch.endpoint)

    async def _ask(self, caller: str, batch: Batch, lines: list[Line]) -> None:
        places = [self._shelf.lines(str(name)) for name in (batch.output_file_id, batch.error_file_id)]
        with opened(places[0]) as good, opened(places[1]) as bad:
            both = _Both(good, bad)

            def count(_: object = None) -> None:
                batch.request_counts = Counts(total=len(lines), completed=len(good.done), failed=len(bad.done))
                if len(both.done) % SAVE_EVERY == 0:
                    self._shelf.keep(caller, batch)

            count()
            try:
                async with self._clients(caller) as client:
                    await run(
                        client, lines, both, concurrency=self._concurrency, deadline_s=self._deadline_s, tell=count
                    )
            finally:
                count()

    def _end(self, caller: str, batch: Batch, *, cancelled: bool) -> None:
        for name in ("output_file_id", "error_file_id"):  # a file without a line is none
            found = getattr(batch, name)
            if found is not None and (file := self._shelf.file(found, caller)) is not None and not file.bytes:
                self._shelf.remove(file)
                setattr(batch, name, None)
        batch.become("cancelled" if cancelled else "completed")
        self._shelf.keep(caller, batch)

    def _fail(self, caller: str, batch: Batch, errors: list[BatchError]) -> None:
        batch.errors = BatchErrors(data=errors)
        batch.become("failed")
        self._shelf.keep(caller, batch)


class _Both(Output):
    """Answers into one file, failures into another."""

    def __init__(self, good: Output, bad: Output) -> None:
        self._good, self._bad = good, bad
        self.done = {**good.done, **bad.done}

    def add(self, answer: Answer) -> None:
        (self._bad if answer.failed else self._good).add(answer)
        self.done[answer.custom_id] = answer.status
