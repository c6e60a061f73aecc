"""What the first two stages of the service cost: a remembered decision, and one among very many experts.

    python -m eval.speed.service

A decision is all of `Categorizer.categorize` (queue, thread, the static classifier, what goes into the decision) and
`Chooser.choose`, one query at a time. Yardstick of what is remembered is `Router.classify` of the same router.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import anyio
from rich.console import Console
from threadpoolctl import threadpool_limits

from eval.speed.ratio import CALLS, Ratio, asked_side_by_side, ratio_table
from eval.speed.static import FEW, MANY, fitted, made_up, router_of
from orchestrator.config import Config
from orchestrator.config.kinds import VllmSettings
from orchestrator.engine import cache_folder, embedders_of, site_of
from orchestrator.fleet.registry import Registry
from orchestrator.plans import Plans
from orchestrator.stages.categorize import Categorizer
from orchestrator.stages.choose import Chooser
from orchestrator.types import ChatRequest
from routers.embedding.load import load_embedder
from routers.examples import read_examples
from routers.router import Router

__all__ = ["main", "routed", "service_ratios"]

FEW_EXPERTS, MANY_EXPERTS = 20, 10_000
EXAMPLES, QUERIES = Path("example/queries.jsonl"), Path("example/queries_held_out.jsonl")

Decide = Callable[[str], Awaitable[object]]


def main() -> None:
    """Measure, print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    with threadpool_limits(limits=1):
        ratios = asyncio.run(service_ratios())
    if arguments.json:
        print(json.dumps([asdict(row) for row in ratios], indent=2))  # noqa: T201 - the result
    else:
        Console(highlight=False).print(ratio_table(ratios))


async def service_ratios() -> list[Ratio]:
    """Each ratio, of real queries; the router of the second is learned from made-up examples."""
    embedder = load_embedder("minilm", folder=Path(), engine="auto", cache=cache_folder() / "graphs")
    queries = [example.query for example in read_examples(QUERIES)]
    router = router_of(fitted(embedder, read_examples(EXAMPLES)))
    remembering = Categorizer(router, deadline_s=60, remembered=len(queries))
    sizes = {FEW: FEW_EXPERTS, MANY: MANY_EXPERTS}
    routed = {str(k): routed(router_of(fitted(embedder, made_up(k))), experts) for k, experts in sizes.items()}

    async def classified(query: str) -> object:
        return router.classify([query])

    working = [asyncio.create_task(one.serve()) for one in (remembering, *(one for one, _ in routed.values()))]
    often = max(CALLS, len(queries))  # each of them in the first round, which does not count
    kept = await asked_side_by_side(
        {"remembered": remembering.categorize, "classified": classified}, queries, calls_a_block=often
    )
    many = await asked_side_by_side(
        {name: decide for name, (_, decide) in routed.items()}, queries, calls_a_block=often
    )
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    figure = f"both stages, {MANY_EXPERTS} experts and {MANY} categories / {FEW_EXPERTS} and {FEW}"
    return [
        Ratio.of("remembered / static decision", kept, ours="remembered", yardstick="classified", target=0.1),
        Ratio.of(figure, many, ours=str(MANY), yardstick=str(FEW), target=3),
    ]


def routed(router: Router, experts: int) -> tuple[Categorizer, Decide]:
    """A categorizer, and both stages of a query; each category has two of so many experts."""
    settings = VllmSettings(kind="vllm", model="any", replicas=("http://127.0.0.1:9",))
    names = [f"expert-{number}" for number in range(experts)]
    categories = {
        name: {"description": name, "experts": [names[at % experts], names[(at * 7 + 1) % experts]]}
        for at, name in enumerate(router.categories)
    }
    config = Config.model_validate(
        {"version": 1, "categories": categories, "general": router.general, "experts": dict.fromkeys(names, settings)}
    )
    registry = Registry(config, site_of(config, embedders_of(config), lambda name: registry[name]))
    categorizer = Categorizer(router, deadline_s=60)
    chooser = Chooser(config, Plans(config), registry)

    async def decide(query: str) -> object:
        body = {"messages": [{"role": "user", "content": query}]}
        request = ChatRequest(body=body, deadline=anyio.current_time() + 60)
        return chooser.choose(await categorizer.categorize(query), request, fuse=False)

    return categorizer, decide


if __name__ == "__main__":
    main()
