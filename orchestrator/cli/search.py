"""`search`: passages of the retriever experts, without an answer made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from orchestrator.cli.log import configure_log
from orchestrator.cli.options import AsJson, ConfigOption, read_config
from orchestrator.cli.remote import post
from orchestrator.errors import ConfigError, ExpertError, NoExpertLeft

if TYPE_CHECKING:
    from orchestrator.config import Config

__all__ = ["search"]

MOST_CHARS = 240
"""Of a passage, for people."""


def search(  # noqa: PLR0917 - typer reads them
    query: Annotated[str, typer.Argument(help="What to look for.")],
    config: ConfigOption = Path("experts.yaml"),
    expert: Annotated[
        list[str] | None, typer.Option("--expert", "-e", help="Ask this retriever; may be repeated. Default: all.")
    ] = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=100, help="Passages of each retriever.")] = 5,
    url: Annotated[str | None, typer.Option("--url", help="Ask the service that runs there.")] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Let the service choose the retrievers (with --url).")] = False,
    as_json: AsJson = False,
) -> None:
    """Search the corpora of the retriever experts: passages with document, title and offsets, best first.

    Example: orchestrator search "how long does dough rest" -e baking -k 3
    """
    if auto and url is None:
        raise ConfigError(["--auto needs --url: the choice is learned, and made by a running service"])
    if url is not None:
        asked: dict[str, Any] = {"query": query, "top_k": top_k}
        found = post(
            url, "/v1/search", asked | ({"experts": expert} if expert else {}) | ({"model": "auto"} if auto else {})
        )
        shown = found.body
    else:
        settings = read_config(config)
        shown = anyio.run(_found, settings, query, _chosen(settings, expert), top_k)
    if as_json:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    _show(shown["passages"])
    for name, reason in shown["failed"].items():
        Console(stderr=True).print(f"{name}: {reason}", markup=False)


def _chosen(config: Config, asked: list[str] | None) -> list[str]:
    known = [name for name, block in config.experts.items() if block.searches]
    if not known:
        raise ConfigError(["no retriever expert is configured"])
    if unknown := [name for name in asked or () if name not in known]:
        raise ConfigError([f"{name!r} is no retriever (known: {', '.join(known)})" for name in unknown])
    return asked or known


async def _found(config: Config, query: str, chosen: list[str], top_k: int) -> dict[str, Any]:
    from orchestrator.engine import embedders_of, experts_of
    from orchestrator.searching import by_rank, gathered
    from orchestrator.wire import citation

    configure_log(least="error")
    async with experts_of(config, embedders_of(config)) as registry:
        deadline_s = config.budget.deadline_s
        found, failed = await gathered(registry, query, chosen, top_k=top_k, deadline_s=deadline_s)
    if not found:
        raise NoExpertLeft([ExpertError(name, reason) for name, reason in failed.items()])
    passages = by_rank([found[name] for name in chosen if name in found])
    return {
        "query": query,
        "passages": [citation(passage) for passage in passages],
        "failed": failed,
        "experts": chosen,
    }


def _show(passages: list[dict[str, Any]]) -> None:
    """Each with its place on one line and its text below: a column of its own would leave the text no room."""
    console = Console(highlight=False)
    for one in passages:
        text = " ".join(one["text"].split())
        short = text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}…"
        place = f"{one['document']}, {one['start']}-{one['end']}, score {one['score']:.3f}"
        head = f"[bold]{one['index']}  {escape(one['title'] or one['document'])}[/]"
        console.print(f"{head}  [cyan]{escape(one['expert'])}[/]  [dim]{escape(place)}[/]")
        console.print(Padding(escape(short), (0, 0, 1, 3)))
    if not passages:
        console.print("nothing found")
