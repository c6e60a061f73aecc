"""`ask` and `route`: one query from the terminal, with or without an answer.

Both run the engine here, or ask a service that is running (`--url`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer
from rich.console import Console

from orchestrator.cli.log import configure_log
from orchestrator.cli.options import AsJson, ConfigOption, read_config
from orchestrator.cli.remote import decision_of, get, post
from orchestrator.controls import Controls
from orchestrator.decision import Decision
from orchestrator.errors import InvalidRequest, RunError

if TYPE_CHECKING:
    from orchestrator.engine import Engine
    from orchestrator.types import Chunk, Draft

__all__ = ["ask", "route"]


def _cost_quality(written: str) -> float | None:
    """The option's value, refused as a request's would be."""
    from orchestrator.service.body import cost_quality_of

    try:
        number: object = float(written)
    except ValueError:
        number = written
    try:
        return cost_quality_of(number)
    except InvalidRequest as error:
        raise typer.BadParameter(str(error)) from error


Query = Annotated[str, typer.Argument(help="What you want to know; '-' reads it from standard input.")]
Url = Annotated[
    str | None,
    typer.Option("--url", help="Ask a running service, such as http://127.0.0.1:8080. Key: ORCHESTRATOR_KEY."),
]

CostQuality = Annotated[
    float | None,
    typer.Option(
        "--cost-quality",
        metavar="0..1",
        parser=_cost_quality,
        help="0: the cheapest experts; 1: the best within the budget, as without it. Needs a learned mapping.",
    ),
]


def ask(  # noqa: PLR0917 - typer's arguments
    query: Query,
    config: ConfigOption = Path("experts.yaml"),
    model: Annotated[str, typer.Option("--model", "-m", help="auto, fuse, or the id of an expert.")] = "auto",
    cost_quality: CostQuality = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the decision as a tree.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Answer one query.

    Example: orchestrator ask "What is 17% of 4310?" --explain
    """
    question = _Question(query=_text(query), model=model, cost_quality=cost_quality)
    quiet = as_json
    if url:
        answer = _ask_service(url, question)
        if not quiet:
            print(answer.text)
    else:
        answer = anyio.run(_ask_here, config, question, quiet)
    if as_json:
        print(json.dumps(answer.as_dict(), indent=2))
    elif explain:
        _show(answer.decision)
    if answer.error:
        raise RunError(answer.error)


def route(  # noqa: PLR0917 - typer's arguments
    query: Query,
    config: ConfigOption = Path("experts.yaml"),
    model: Annotated[str, typer.Option("--model", "-m", help="auto, fuse, or the id of an expert.")] = "auto",
    cost_quality: CostQuality = None,
    explain: Annotated[bool, typer.Option("--explain", help="Also show what decided the category.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show what would be done with a query, without asking any expert.

    Example: orchestrator route "how do I proof dough in a cold kitchen" --explain
    """
    question = _Question(query=_text(query), model=model, cost_quality=cost_quality)
    if url:
        decision = _route_service(url, question, explain=explain)
    else:
        decision = anyio.run(_route_here, config, question, explain)
    if as_json:
        print(decision.model_dump_json(indent=2))
    else:
        _show(decision)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    query: str
    model: str
    cost_quality: float | None

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": "user", "content": self.query}]

    @property
    def controls(self) -> Controls:
        return Controls(cost_quality=self.cost_quality)

    def fields(self) -> dict[str, Any]:
        """Of a request's body, beside what is asked; a service that does not know `cost_quality` is not sent any."""
        place = {} if self.cost_quality is None else {"cost_quality": self.cost_quality}
        return {"model": self.model, **place}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    text: str
    decision: Decision
    citations: Sequence[Mapping[str, Any]]
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        decision = self.decision.model_dump(mode="json")
        return {"answer": self.text, "citations": self.citations, "error": self.error, "decision": decision}


async def _ask_here(config: Path, question: _Question, quiet: bool) -> _Answer:  # noqa: FBT001 - anyio.run
    from orchestrator.errors import OrchestratorError
    from orchestrator.wire import citation

    async def show(chunk: Chunk) -> None:
        for choice in [] if quiet else chunk.data["choices"]:
            sys.stdout.write(choice["delta"].get("content") or "")
            sys.stdout.flush()

    async with _engine(config) as engine:
        body = {"messages": question.messages, "stream": not quiet}
        request, trace = engine.pipeline.request(body, model=question.model, controls=question.controls)
        draft: Draft | None = None
        error = None
        try:
            draft = await engine.pipeline.answer(request, show, trace)
        except OrchestratorError as failure:
            error = str(failure)
        if not quiet:
            print()
        return _Answer(
            text=draft.text if draft else "",
            citations=[citation(passage) for passage in draft.passages] if draft else [],
            decision=trace.decision(),
            error=error,
        )


async def _route_here(config: Path, question: _Question, explain: bool) -> Decision:  # noqa: FBT001 - anyio.run
    async with _engine(config) as engine:
        request, trace = engine.pipeline.request(
            {"messages": question.messages}, model=question.model, controls=question.controls
        )
        await engine.pipeline.route(request, trace, explain=explain)
        trace.close()
        return trace.decision()


@asynccontextmanager
async def _engine(config: Path) -> AsyncIterator[Engine]:
    from orchestrator.engine import running

    configure_log(least="error")  # what went wrong is in the answer's decision
    async with running(read_config(config)) as engine:
        yield engine


def _ask_service(url: str, question: _Question) -> _Answer:
    sent = post(url, "/v1/chat/completions", {"messages": question.messages, **question.fields()})
    message = sent.body["choices"][0]["message"]
    found = get(url, f"/v1/decisions/{sent.headers['x-orchestrator-decision-id']}")
    return _Answer(
        text=message.get("content") or "",
        citations=message.get("citations", []),
        decision=decision_of(url, found),
    )


def _route_service(url: str, question: _Question, *, explain: bool) -> Decision:
    sent = {"query": question.query, **question.fields(), **({"explain": True} if explain else {})}
    return decision_of(url, post(url, "/v1/route", sent).body)


def _text(query: str) -> str:
    """What was asked, as text: a terminal hands over bytes, and those that are none must not stop the answer."""
    if query == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace").strip()
    return query.encode("utf-8", "replace").decode("utf-8")


def _show(decision: Decision) -> None:
    from orchestrator.cli.explain import decision_tree

    Console().print(decision_tree(decision))
