"""Asks the lines of a batch, some at a time, and writes each answer as it comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
import httpx
import orjson

from orchestrator.batch.lines import Line
from orchestrator.batch.output import Answer, Output

__all__ = ["run"]


async def run(
    client: httpx.AsyncClient,
    lines: Sequence[Line],
    output: Output,
    *,
    concurrency: int,
    deadline_s: float,
    tell: Callable[[Answer], None] = lambda _: None,
) -> None:
    """Ask every line that has no answer yet. deadline_s: of each, after which it is an answer without a status."""
    waiting = iter([line for line in lines if line.custom_id not in output.done])

    async def work() -> None:
        for line in waiting:
            answer = await _asked(client, line, deadline_s)
            output.add(answer)
            tell(answer)

    async with anyio.create_task_group() as group:
        for _ in range(concurrency):
            group.start_soon(work)


async def _asked(client: httpx.AsyncClient, line: Line, deadline_s: float) -> Answer:
    try:
        with anyio.fail_after(deadline_s):
            response = await client.post(line.url, json=line.body, timeout=deadline_s)
    except TimeoutError:
        return Answer(custom_id=line.custom_id, status=0, error=f"no answer within {deadline_s:g} s")
    except httpx.HTTPError as error:
        return Answer(custom_id=line.custom_id, status=0, error=f"{type(error).__name__}: {error}".rstrip(": "))
    except (ValueError, RecursionError) as error:
        return Answer(custom_id=line.custom_id, status=0, error=f"the body cannot be sent: {error}")
    identity = response.headers.get("x-orchestrator-decision-id") or response.headers.get("x-request-id") or ""
    answer = Answer(custom_id=line.custom_id, status=response.status_code, request_id=identity, body=response.content)
    try:
        orjson.loads(answer.line())  # whoever goes on with the batch has to be able to read it
    except orjson.JSONDecodeError:
        return Answer(custom_id=line.custom_id, status=0, error="the answer is not JSON")
    return answer
