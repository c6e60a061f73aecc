"""What a search among very many passages costs beside the bare matrix product, and how soon a finished index serves.

    python -m eval.speed.search --folder FOLDER

Passages are made up (`eval.speed.salad`); they, the static table that embeds them and the index are made once a folder.
A search is all that a retriever expert does for a query: embedding it, every index, fusion, the passages' texts. The
yardstick is `rows @ vector` over the vectors of that very index, in the same run, on one thread, in CPU time. Recall is
the share of the exact search's ten nearest that the graph finds. The start is that of `orchestrator serve` as a process
of its own, from its beginning until the first search is answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

import httpx
import numpy as np
from rich.console import Console
from threadpoolctl import threadpool_limits

from eval.speed.ratio import Ratio, asked_side_by_side, ratio_table
from eval.speed.salad import DIM, made_embedder, made_passages, made_queries
from orchestrator.config.kinds import RetrieverSettings
from orchestrator.embedders import Embedders
from orchestrator.experts.retriever.expert import RetrieverExpert
from orchestrator.experts.site import Site
from orchestrator.testing import in_service

__all__ = ["Figures", "main", "measured"]

PASSAGES = 100_000
QUERIES = 100
CALLS = 20  # of a block
TOP_K = 10
ALL = 1_000_000_000  # an `approximate_above` that no corpus is above
STARTS = 3
START_LIMIT_S = 120.0
TARGET = 3.0

MODES: Mapping[str, tuple[tuple[str, ...], int]] = {
    "dense, exact": (("./table",), ALL),
    "dense, graph": (("./table",), 0),
    "words": (("bm25",), ALL),
    "hybrid, exact": (("./table", "bm25"), ALL),
    "hybrid, graph": (("./table", "bm25"), 0),
}

CONFIG = """\
version: 1
embedder: ./table
engine: torch
categories:
  books: {{description: the corpus, examples: [bababa bebaba, bibaba bobaba], experts: [books]}}
  general: {{description: the rest, examples: [bubaba cababa, cebaba cibaba], experts: [books]}}
general: general
experts:
  books: {{kind: retriever, corpus: {corpus}, embedders: [./table, bm25], max_file_mb: 100000}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured.

    build_s: until all indexes were there; next to nothing where they were. up_s: of an expert in a process that has
    everything loaded. start_s: of `orchestrator serve` until it has answered a search, each time. recall: of the graph.
    """

    passages: int
    dim: int
    build_s: float
    up_s: float
    start_s: Sequence[float]
    recall: float
    ratios: Sequence[Ratio]


def main() -> None:
    """Measure, print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where corpus and indexes are kept")
    parser.add_argument("--passages", type=int, default=PASSAGES, help=f"how many ({PASSAGES})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    with threadpool_limits(limits=1):
        figures = asyncio.run(measured(folder, passages=arguments.passages, seed=arguments.seed))
    if arguments.json:
        print(json.dumps(asdict(figures), indent=2))  # noqa: T201 - the result
        return
    console = Console(highlight=False)
    console.print(f"{figures.passages:,} passages of {figures.dim} dimensions, seed {arguments.seed}")
    console.print(f"all indexes ready after {figures.build_s:.1f} s; an expert on them up after {figures.up_s:.2f} s")
    console.print(f"orchestrator serve, until a search is answered: {', '.join(f'{s:.2f}' for s in figures.start_s)} s")
    console.print(f"recall@{TOP_K} of the graph: {figures.recall:.4f} ({QUERIES} queries)")
    console.print(ratio_table(figures.ratios))


async def measured(folder: Path, *, passages: int, seed: int) -> Figures:
    """All figures of one corpus."""
    made_embedder(folder / "table", seed=seed)
    corpus = made_passages(folder / f"{passages}-{seed}.jsonl", count=passages, seed=seed)
    queries = made_queries(QUERIES, seed=seed)
    embedders = Embedders(folder)
    async with embedders.background.open():
        build_s = await _until_up(corpus, embedders)
        up_s = await _until_up(corpus, embedders)
        async with AsyncExitStack() as stack:
            experts = _experts(corpus, embedders)
            await stack.enter_async_context(in_service(*experts.values()))
            recall = await _recall(experts["dense, exact"], experts["dense, graph"], queries)
            ratios = await _ratios(experts, corpus, embedders, queries)
    start_s = [_served(corpus, queries[0], first=number == 0) for number in range(STARTS)]
    return Figures(
        passages=passages, dim=DIM, build_s=build_s, up_s=up_s, start_s=start_s, recall=recall, ratios=ratios
    )


def _experts(corpus: Path, embedders: Embedders) -> dict[str, RetrieverExpert]:
    """One a mode; they share what they have in common, as those of one service do."""
    site = Site(folder=corpus.parent, cache=_cache(corpus.parent), expert=_nobody, embedder=embedders)
    experts = {}
    for mode, (names, above) in MODES.items():
        settings = RetrieverSettings(
            corpus=(Path(corpus.name),), embedders=names, approximate_above=above, max_file_mb=100_000
        )
        experts[mode] = RetrieverExpert(mode, settings, site)
    return experts


def _cache(folder: Path) -> Path:
    """Where a service keeps its indexes when it is told that this folder is for caches."""
    return folder / "cache" / "expert-orchestrator"


async def _until_up(corpus: Path, embedders: Embedders) -> float:
    started = time.perf_counter()
    async with in_service(*(experts := _experts(corpus, embedders)).values()):
        reasons = [expert.condition.reason for expert in experts.values() if expert.condition.state != "up"]
        if reasons:
            raise RuntimeError(reasons[0])
        return time.perf_counter() - started


async def _recall(exact: RetrieverExpert, graph: RetrieverExpert, queries: Sequence[str]) -> float:
    shares = []
    for query in queries:
        nearest = {passage.document for passage in await exact.search(query, top_k=TOP_K)}
        found = {passage.document for passage in await graph.search(query, top_k=TOP_K)}
        shares.append(len(nearest & found) / len(nearest))
    return float(np.mean(shares))


async def _ratios(
    experts: Mapping[str, RetrieverExpert], corpus: Path, embedders: Embedders, queries: Sequence[str]
) -> list[Ratio]:
    [stored] = _cache(corpus.parent).glob(f"corpora/*/vectors-*/{_state(experts)}/vectors.npy")
    rows = np.load(stored, mmap_mode="r")
    vectors = dict(zip(queries, await embedders("./table").embed(queries), strict=True))

    async def product(query: str) -> object:
        return rows @ vectors[query]

    def searching(expert: RetrieverExpert) -> Callable[[str], Awaitable[object]]:
        return lambda query: expert.search(query, top_k=TOP_K)

    calls = {"product": product, **{mode: searching(expert) for mode, expert in experts.items()}}
    times = await asked_side_by_side(calls, queries, calls_a_block=CALLS)
    return [
        Ratio.of(f"{mode} / bare product", times, ours=mode, yardstick="product", target=TARGET) for mode in experts
    ]


def _state(experts: Mapping[str, RetrieverExpert]) -> str:
    [name] = {expert.state for expert in experts.values()}
    return name or ""


def _served(corpus: Path, query: str, *, first: bool) -> float:
    """Seconds from the start of a service's process until it has answered a search by meaning and words."""
    config = corpus.with_suffix(".yaml")
    config.write_text(CONFIG.format(corpus=corpus.name), encoding="utf-8")
    environment = {**os.environ, "XDG_CACHE_HOME": str(corpus.parent / "cache"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "orchestrator"]
    if first:
        subprocess.run([*command, "train", config], check=True, env=environment, cwd=corpus.parent, capture_output=True)
    started = time.perf_counter()
    with subprocess.Popen(
        [*command, "serve", config, "--port", "0"],
        env=environment,
        cwd=corpus.parent,
        stderr=subprocess.PIPE,
        text=True,
    ) as service:
        try:
            url = _announced(service)
            with httpx.Client(base_url=url, trust_env=False, timeout=START_LIMIT_S) as client:
                client.post("/v1/search", json={"query": query}).raise_for_status()
            return time.perf_counter() - started
        finally:
            service.terminate()


def _announced(service: subprocess.Popen[str]) -> str:
    """Where it listens, once it says so."""
    said = []
    for line in service.stderr or ():
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    message = f"the service ended: {''.join(said)}"
    raise RuntimeError(message)


def _nobody(expert_id: str) -> NoReturn:
    """Retrievers without readers need no other expert."""
    raise LookupError(expert_id)


if __name__ == "__main__":
    main()
