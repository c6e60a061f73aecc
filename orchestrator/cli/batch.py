"""`batch`: many requests from a file, their answers into another; killed, it goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from orchestrator.cli.log import configure_log
from orchestrator.cli.options import AsJson, ConfigOption, read_config
from orchestrator.cli.progress import progress_bars
from orchestrator.errors import ConfigError, RunError

if TYPE_CHECKING:
    import httpx

    from orchestrator.batch.lines import Line
    from orchestrator.batch.output import Answer

__all__ = ["batch"]

START_WAIT_S = 120.0
"""Longest wait for experts to come up; whoever is not up by then is asked all the same."""


def batch(  # noqa: PLR0917 - typer reads them
    requests: Annotated[Path, typer.Argument(help="JSONL of {custom_id, url, body}, as OpenAI's batches have it.")],
    answers: Annotated[Path, typer.Argument(help="JSONL of the answers; gone on with where it is there.")],
    config: ConfigOption = Path("experts.yaml"),
    url: Annotated[str | None, typer.Option("--url", help="Ask the service that runs there.")] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=256, help="Requests at once.")] = 8,
    deadline_s: Annotated[float, typer.Option("--deadline-s", min=0.1, help="Seconds for each request.")] = 300.0,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask those again that failed and may do better now.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask all requests of a file, and write their answers; the same command goes on after any end.

    Example: orchestrator batch requests.jsonl answers.jsonl --concurrency 16
    """
    from orchestrator.batch.lines import BadBatch, read_lines

    try:
        if answers.exists() and answers.samefile(requests):
            raise ConfigError([f"{answers}: the answers need a file of their own"])
        with requests.open("rb") as file:
            lines = read_lines(file, str(requests))
    except OSError as error:
        raise ConfigError([f"{requests}: {error.strerror or error}"]) from error
    except BadBatch as error:
        raise ConfigError(error.problems) from error
    told = anyio.run(_run, lines, answers, (config, url, concurrency, deadline_s, retry_failed))
    if as_json:
        print(json.dumps(told))
    else:
        _show(told, answers)
    if told["failed"]:
        raise RunError(f"{told['failed']} of {len(lines)} requests failed; see {answers}, and --retry-failed")


async def _run(lines: list[Line], answers: Path, how: tuple[Path, str | None, int, float, bool]) -> dict[str, Any]:
    from orchestrator.batch.output import opened
    from orchestrator.batch.running import run

    config, url, concurrency, deadline_s, retry_failed = how
    sums = {"requests": len(lines), "before": 0, "input_tokens": 0, "output_tokens": 0}
    with opened(answers, retry_failed=retry_failed) as output, progress_bars() as report:
        wanted = {line.custom_id for line in lines}
        sums["before"] = len(wanted & set(output.done))
        if sums["before"] < len(lines):
            async with _client(config, url) as client:
                report("asking", sums["before"], len(lines))

                def tell(answer: Answer) -> None:
                    _count(sums, answer)
                    report("asking", len(wanted & set(output.done)), len(lines))

                await run(client, lines, output, concurrency=concurrency, deadline_s=deadline_s, tell=tell)
        statuses = [output.done[name] for name in wanted]
    answered = sum(200 <= status < 300 for status in statuses)  # noqa: PLR2004 - HTTP's range of success
    return {**sums, "answered": answered, "failed": len(lines) - answered}


@asynccontextmanager
async def _client(config: Path, url: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service that runs there, or of one in this process."""
    import httpx

    key = os.environ.get("ORCHESTRATOR_KEY")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if url is not None:
        async with httpx.AsyncClient(base_url=url, headers=headers) as client:
            yield client
        return
    from orchestrator.engine import running
    from orchestrator.service.app import create_app
    from orchestrator.service.in_process import client_of

    configure_log(least="error")
    settings = read_config(config)
    serve = settings.serve.model_copy(update={"keys": None, "mcp": False})
    app = create_app(settings.model_copy(update={"serve": serve}), lambda: running(settings), log_request=_quiet)
    async with client_of(app) as client:
        await _settled(client)
        yield client


async def _settled(client: httpx.AsyncClient) -> None:
    """Until no expert is starting any more: lines are not to fail because nobody is up yet."""
    with anyio.move_on_after(START_WAIT_S):
        while any(expert["state"] == "starting" for expert in (await client.get("/v1/experts")).json()):  # noqa: ASYNC110
            await anyio.sleep(0.1)


def _quiet(_: object) -> None:
    """The answers' file is the log of a batch."""


def _count(sums: dict[str, int], answer: Answer) -> None:
    body = json.loads(answer.body)
    usage = body.get("usage") if isinstance(body, dict) else None
    if isinstance(usage, dict):
        sums["input_tokens"] += usage.get("prompt_tokens") or usage.get("input_tokens") or 0
        sums["output_tokens"] += usage.get("completion_tokens") or usage.get("output_tokens") or 0


def _show(told: dict[str, Any], answers: Path) -> None:
    table = Table("requests", "answered", "failed", "there before", "tokens in", "tokens out", box=SIMPLE)
    names = ("requests", "answered", "failed", "before", "input_tokens", "output_tokens")
    table.add_row(*(f"{told[name]:,}" for name in names))
    Console(highlight=False).print(table, f"answers: {answers}")
