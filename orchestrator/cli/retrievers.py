"""What `train` does for retrievers: an adapter of one, the router between them, and who gains and loses by a change."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from orchestrator.config import Config
    from orchestrator.retrieval import Learned
    from routers.retrievers.impact import Change

__all__ = ["as_dict", "change", "learn", "line", "train"]

STYLES = {"gains": "green", "loses": "red", "same": ""}


def train(config: Config, expert: str, *, queries: Path | None, source: str | None, seed: int, as_json: bool) -> None:
    """Train the adapter of one retriever, and tell what it reaches on held-out folds."""
    from orchestrator.adapting import train_adapter

    began = time.perf_counter()
    trained = train_adapter(config, expert, queries=queries, source=source, seed=seed)
    took_s = time.perf_counter() - began
    facts = trained.facts
    if as_json:
        shown = {**facts.model_dump(), "path": str(trained.path), "left_out": trained.left_out, "took_s": took_s}
        print(json.dumps(shown, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    kept = f"{facts.steps} steps" if facts.steps else "no number of steps helped, so it changes nothing"
    console.print(f"queries            {facts.queries} ({facts.folds} folds, seed {facts.seed})")
    console.print(f"nDCG@10 held out   {facts.plain:.3f} without, {facts.adapted:.3f} with the adapter")
    console.print(f"training           {kept}; {took_s:.1f} s")
    if trained.left_out:
        console.print(f"left out           {trained.left_out} queries, nothing relevant to them is in the corpus")
    console.print(f"saved to {trained.path}")


def learn(config: Config, *, seed: int) -> Learned:
    """Ask every retriever the judged queries, with progress bars."""
    from orchestrator.cli.progress import progress_bars
    from orchestrator.retrieval import learn_retrievers

    with progress_bars() as progress:
        return learn_retrievers(config, seed=seed, progress=progress)


def change(config: Config, *, add: str | None, remove: str | None, as_json: bool) -> None:
    """Add or remove one, and tell who gains and who loses."""
    from orchestrator.cli.progress import progress_bars
    from orchestrator.retrieval import add_retriever, remove_retriever

    began = time.perf_counter()
    if add is not None:
        with progress_bars() as progress:
            learned = add_retriever(config, add, progress=progress)
    else:
        learned = remove_retriever(config, remove or "")
    took_s = time.perf_counter() - began
    if as_json:
        print(json.dumps({**as_dict(learned), "took_s": took_s}, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(_table(learned.changes))
    console.print(line(learned))
    console.print(f"took {took_s:.1f} s; saved to {config.path(config.routing.retrievers)}")


def as_dict(learned: Learned) -> dict[str, Any]:
    """All of it, as JSON."""
    facts = learned.facts
    return {
        "retrievers": sorted({expert for arm in facts.arms for expert in arm}),
        "rule": facts.rule,
        "queries": len(facts.sources),
        "folds": facts.folds,
        "seed": facts.seed,
        "ndcg10": facts.figures,
        "changes": [one.as_dict() for one in learned.changes],
    }


def line(learned: Learned) -> str:
    """What was learned, in a line."""
    facts = learned.facts
    names = sorted({expert for arm in facts.arms for expert in arm})
    reached = facts.figures
    return (
        f"retrievers         {', '.join(names)}: nDCG@10 held out {reached['router']:.3f} (rule {facts.rule}), "
        f"best single {reached['best_single']:.3f}, best for each query {reached['oracle']:.3f}, "
        f"{len(facts.sources)} queries"
    )


def _table(changes: tuple[Change, ...]) -> Table:
    table = Table(box=SIMPLE, title="nDCG@10 of the router, held out")
    for name in ("source", "queries", "before", "after", "gain", "95 % interval", "verdict"):
        table.add_column(name, justify="left" if name in ("source", "verdict") else "right", no_wrap=True)
    for one in changes:
        interval = f"{one.low:+.3f} to {one.high:+.3f}"
        verdict = Text(one.verdict, style=STYLES[one.verdict])
        gain = f"{one.after - one.before:+.3f}"
        row = (one.source, str(one.n), f"{one.before:.3f}", f"{one.after:.3f}", gain, interval, verdict)
        table.add_row(*row)
    return table
