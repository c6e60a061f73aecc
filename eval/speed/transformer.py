"""What a decision of the transformer tier costs, against the bare engine and against sentence-transformers.

    python -m eval.speed.transformer [--config experts.yaml]

The queries are those of the example that were held out. A decision is all of `Router.classify`: tokens, encoder,
classifier, calibration, category set and gate. Yardsticks: the same graph called by hand with the same tokenizer, and
`encode()` of sentence-transformers on one thread, which costs it less CPU than its default does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from threadpoolctl import threadpool_limits

from eval.speed.ratio import Ratio, ratio_table, side_by_side
from orchestrator.batching import Batcher
from orchestrator.config import Config, load
from orchestrator.engine import cache_folder
from orchestrator.training import examples_of
from routers.embedding.engine import Engine
from routers.embedding.load import load_embedder
from routers.router import Router, Routing
from routers.train import train

__all__ = ["main", "transformer_ratios"]

CALLERS = 16
WAVES = 12
ENGINES: tuple[Engine, ...] = ("onnx", "onnx-int8")
HELD_OUT = Path("example/queries_held_out.jsonl")
TOKENS = {"12 tokens": (9, 15), "32 tokens": (26, 40)}
"""By length: the queries whose count of tokens is in this range; long ones are two queries in a row."""


def main() -> None:
    """Measure and print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("experts.yaml"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    config = load(arguments.config, environment=os.environ).config
    with threadpool_limits(limits=1):
        ratios, agreement = transformer_ratios(config)
    if arguments.json:
        print(json.dumps({"ratios": [vars_of(row) for row in ratios], "agreement": agreement}, indent=2))  # noqa: T201
        return
    console = Console(highlight=False)
    console.print(ratio_table(ratios))
    for what, share in agreement.items():
        console.print(f"{what}: {share:.3f}")


def vars_of(row: Ratio) -> dict[str, Any]:
    """As JSON."""
    return {name: getattr(row, name) for name in row.__slots__}


def transformer_ratios(config: Config) -> tuple[list[Ratio], dict[str, float]]:
    """Every ratio, and how often the decision with 8-bit weights is that of float32."""
    queries = [json.loads(line)["query"] for line in HELD_OUT.read_text(encoding="utf-8").splitlines()]
    routers = {engine: _trained(config, engine) for engine in ENGINES}
    ratios = []
    for engine, router in routers.items():
        for length, texts in _by_length(queries).items():
            ratios += _alone(engine, router, length, texts)
        ratios.append(_together(engine, router, _by_length(queries)["12 tokens"]))
    decisions = {
        engine: [routing.category for routing in router.classify(queries)] for engine, router in routers.items()
    }
    same = np.mean([one == other for one, other in zip(*decisions.values(), strict=True)])
    return ratios, {f"decisions of int8 that are those of float32, n {len(queries)}": float(same)}


def _trained(config: Config, engine: Engine) -> Router:
    embedder = load_embedder(config.embedder, folder=config.folder, engine=engine, cache=cache_folder() / "graphs")
    trained = train(
        examples_of(config),
        categories=tuple(config.categories),
        general=config.general,
        embedder=embedder,
        classifier=config.routing.classifier,
    )
    return trained.router


def _alone(engine: Engine, router: Router, length: str, texts: Sequence[str]) -> list[Ratio]:
    """One query at a time."""
    graph = load_embedder("minilm", folder=Path(), engine=engine, cache=cache_folder() / "graphs")
    asked = {name: cycle(texts) for name in ("ours", "bare", "encode")}
    bare = _bare(graph)
    encode = _encode()
    times = side_by_side(
        {
            "ours": lambda: router.classify([next(asked["ours"])]),
            "bare": lambda: bare(next(asked["bare"])),
            "encode": lambda: encode(next(asked["encode"])),
        }
    )
    return [
        Ratio.of(f"{engine}, {length}: decision / bare engine", times, ours="ours", yardstick="bare", target=1.15),
        Ratio.of(f"{engine}, {length}: decision / encode()", times, ours="ours", yardstick="encode", target=1 / 3),
    ]


def _bare(graph: Any) -> Callable[[str], object]:
    """A tokenizer and the engine, nothing else."""
    import onnxruntime  # noqa: PLC0415 - what only this measures with
    from tokenizers import Tokenizer  # noqa: PLC0415

    session: onnxruntime.InferenceSession = graph.session
    tokenizer: Tokenizer = graph.tokenizer

    def run(text: str) -> object:
        ids = np.array([tokenizer.encode(text).ids])
        return session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})

    return run


def _encode() -> Callable[[str], object]:
    import torch  # noqa: PLC0415 - seconds that only this measurement should pay

    from routers.embedding.sentence import opened  # noqa: PLC0415
    from routers.weights import find  # noqa: PLC0415

    torch.set_num_threads(1)
    model = opened(find("minilm"))
    return lambda text: model.encode([text], normalize_embeddings=True, show_progress_bar=False)


def _together(engine: Engine, router: Router, texts: Sequence[str]) -> Ratio:
    """Sixteen callers at once, through the batcher of the service, and the same with one query a batch."""
    times = asyncio.run(_waves(router, list(texts)))
    figure = f"{engine}, {CALLERS} callers: batched / one by one"
    return Ratio.of(figure, times, ours="batched", yardstick="one by one", target=0.8)


async def _waves(router: Router, texts: Sequence[str]) -> dict[str, list[float]]:
    batchers: dict[str, Batcher[str, Routing]] = {
        "batched": Batcher(router.classify),
        "one by one": Batcher(router.classify, max_batch=1),
    }
    working = [asyncio.create_task(batcher.serve()) for batcher in batchers.values()]
    times: dict[str, list[float]] = {name: [] for name in batchers}
    for wave in range(WAVES + 1):
        for name, batcher in batchers.items():
            asked = [texts[(wave * CALLERS + number) % len(texts)] for number in range(CALLERS)]
            started = time.process_time_ns()
            await asyncio.gather(*(batcher.submit(text) for text in asked))
            if wave:  # the first is dearer: what loads lazily loads now
                times[name].append((time.process_time_ns() - started) / CALLERS / 1e3)
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    return times


def _by_length(queries: Sequence[str]) -> dict[str, list[str]]:
    """Queries by their count of tokens, counted as words and signs; all of them where none has that length."""
    joined = [*queries, *(f"{one} {other}" for one, other in pairwise(queries))]
    joined += [f"{one} {other}" for one, other in zip(joined, joined[2:], strict=False)]
    counts = [len(re.findall(r"\w+|[^\w\s]", query)) + 2 for query in joined]
    return {
        name: [query for query, count in zip(joined, counts, strict=True) if least <= count <= most] or list(queries)
        for name, (least, most) in TOKENS.items()
    }


if __name__ == "__main__":
    main()
