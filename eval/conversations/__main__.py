"""`python -m eval.conversations`: whether conversations keep their expert in loops, and move with their subject.

    python -m eval.conversations --lines odd
    python -m eval.conversations --count 200 --seed 1 --json figures.json

Conversations are drawn from queries that the example's router was not trained on, and sent as three coding agents send
them. Three ways are compared: classifying the last message, classifying the user's latest request, and the product.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from eval.conversations.agents import AGENTS
from eval.conversations.replay import ARMS, Step, replay
from eval.conversations.scenarios import drawn
from eval.metrics import Figure, Resampling
from orchestrator.config.loading import load
from orchestrator.engine import embedders_of
from orchestrator.training import learned_router
from routers.examples import read_examples

__all__ = ["figures", "main"]

_ROOT = Path(__file__).parents[2]
KINDS = {
    "loop": "steps of a loop that kept their expert",
    "moved": "new subjects that reached their expert",
    "follow-up": "requests that point back and stayed",
    "first": "first requests that reached their expert",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay, print, and give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=_ROOT / "experts.yaml", help="whose router decides")
    parser.add_argument("--queries", type=Path, default=_ROOT / "example" / "queries_held_out.jsonl")
    parser.add_argument(
        "--lines", choices=["all", "odd", "even"], default="all", help="of the queries: all, or every second one (all)"
    )
    parser.add_argument("--count", type=int, default=100, help="conversations, each sent as every agent (100)")
    parser.add_argument("--seed", type=int, default=0, help="of the conversations (0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures; - prints them")
    options = parser.parse_args(arguments)
    console = Console(highlight=False, stderr=str(options.json) == "-")
    config = load(options.config, environment=os.environ).config
    router = learned_router(config, embedders_of(config).load(config.embedder)).router
    first, step = {"all": (0, 1), "odd": (0, 2), "even": (1, 2)}[options.lines]
    scenarios = drawn(read_examples(options.queries)[first::step], options.count, seed=options.seed)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    with Progress(console=console, transient=True) as progress:
        for arm in ARMS:
            task = progress.add_task(arm, total=options.count)
            tell = partial(_tell, progress, task)
            steps = anyio.run(partial(replay, config, router, scenarios, arm=arm, tell=tell))
            found[arm] = {name: figure.as_dict() for name, figure in figures(steps, options.count).items()}
    console.print(_table(found, options.count, options.seed))
    if options.json is not None:
        text = json.dumps({"count": options.count, "seed": options.seed, "arms": found}, indent=2) + "\n"
        if str(options.json) == "-":
            sys.stdout.write(text)
        else:
            options.json.write_text(text, encoding="utf-8")
    return 0


def figures(steps: Sequence[Step], count: int, *, seed: int = 0) -> dict[str, Figure]:
    """The share of steps that went where they should, by kind, and of loops by agent; resampled by conversation."""
    picked = {kind: [step for step in steps if step.kind == kind] for kind in KINDS}
    picked |= {f"loop, {agent}": [step for step in picked["loop"] if step.agent == agent] for agent in AGENTS}
    return {name: _share(chosen, count, seed) for name, chosen in picked.items()}


def _share(steps: Sequence[Step], count: int, seed: int) -> Figure:
    right, all_of = np.zeros(count), np.zeros(count)
    for step in steps:
        right[step.conversation] += step.expert == step.expected
        all_of[step.conversation] += 1
    found = Resampling(count, seed=seed).of_means(np.stack([right, all_of], axis=1), _ratio)
    return Figure(found.value, found.ci95, len(steps))


def _ratio(means: Any) -> float:
    return float(means[0] / means[1]) if means[1] else math.nan


def _tell(progress: Progress, task: Any, done: int) -> None:
    progress.update(task, completed=done)


def _table(found: dict[str, dict[str, dict[str, Any]]], count: int, seed: int) -> Table:
    title = f"{count} conversations, each as {', '.join(AGENTS)}; seed {seed}"
    table = Table("share of", "n", *found, title=title, box=SIMPLE, pad_edge=False)
    for name in next(iter(found.values())):
        cells = [_text(arm[name]) for arm in found.values()]
        table.add_row(KINDS.get(name, name), str(next(iter(found.values()))[name]["n"]), *cells)
    return table


def _text(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    low_high = "" if figure["ci95"] is None else " [{:.3f}, {:.3f}]".format(*figure["ci95"])
    return f"{figure['value']:.3f}{low_high}"


if __name__ == "__main__":
    sys.exit(main())
