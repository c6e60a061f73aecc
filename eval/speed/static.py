"""What the static tier costs beside a bare loop, with many categories, and what a cascade saves.

    python -m eval.speed.static

Everything in one process on one thread, the calls taking turns, so that ratios mean something on a busy machine too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from eval.speed.measuring import cpu_us
from routers.classify.cascade import CascadeClassifier
from routers.classify.kinds import seen_by
from routers.classify.phrases import HashedWords
from routers.classify.static import StaticClassifier
from routers.embedding import Embedder, FloatArray
from routers.embedding.load import load_embedder
from routers.embedding.pieces import pieces_of
from routers.examples import Example, read_examples
from routers.gate import Gate, Signal
from routers.router import Router

__all__ = ["Speed", "bare_loop", "cascade_speed", "main", "many_categories", "static_speed"]

QUERIES = 200
FEW, MANY = 14, 1000
EXAMPLES_EACH = 3
WORDS = 4000
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """One figure. us: CPU microseconds of a decision. ratio: to what it is measured against, as a target has it."""

    name: str
    us: float
    ratio: float
    against: str


def bare_loop(embedder: Embedder, classes: int) -> Callable[[str], int]:
    """The least that tokenizes, looks up and applies a head: mean of the pieces' vectors, one product, the largest.

    The table is the embedder's own, the head is random: nobody asks for its answers.
    """
    pieces = pieces_of(embedder) or HashedWords()
    table = pieces.vectors()
    head = np.random.default_rng(SEED).normal(size=(table.shape[1], classes)).astype(np.float32)

    def decide(text: str) -> int:
        found: FloatArray = table[pieces.numbers(text)].mean(axis=0) @ head
        weights = np.exp(found - found.max())
        return int((weights / weights.sum()).argmax())

    return decide


def static_speed(embedder: Embedder, examples: Sequence[Example], queries: Sequence[str]) -> list[Speed]:
    """The static kind by itself and inside a router, beside the bare loop, on real examples."""
    classifier = _fitted(embedder, examples)
    router = _router(classifier)
    took = cpu_us(
        {
            "bare loop: tokenize, look up, head": bare_loop(embedder, len(classifier.classes_)),
            "static posterior": lambda text: classifier.posterior([text]),
            "static decision of a router": lambda text: router.classify([text]),
        },
        queries,
    )
    base = next(iter(took))
    return [Speed(name=name, us=us, ratio=us / took[base], against=base) for name, us in took.items()]


def many_categories(embedder: Embedder, queries: Sequence[str]) -> list[Speed]:
    """A router's static decision with 1,000 categories beside one with 14, both of made-up examples."""
    routers = {f"{k} categories": _router(_fitted(embedder, _made_up(k))) for k in (FEW, MANY)}
    calls = {name: _classify(router) for name, router in routers.items()}
    took = cpu_us(calls, queries)
    base = next(iter(took))
    return [Speed(name=name, us=us, ratio=us / took[base], against=base) for name, us in took.items()]


def cascade_speed(
    embedder: Embedder, examples: Sequence[Example], queries: Sequence[str], *, inner: str = "kernel"
) -> list[Speed]:
    """A cascade that really embeds what it passes on, beside its inner kind that embeds every query.

    The last figure's time is the cascade's static tier alone.
    """
    seen = seen_by("cascade", embedder, {"inner": inner})
    texts, labels = [example.query for example in examples], [example.category for example in examples]
    cascade = CascadeClassifier(seen, inner=inner).fit(texts, labels)
    always = cascade.inner
    took = cpu_us(
        {
            f"{inner}, every query embedded": lambda text: always.logits([text]),
            "cascade": lambda text: cascade.logits([text]),
            "of that, the static tier": lambda text: cascade.answered_fast([text]),
        },
        queries,
        rounds=2,
    )
    base = next(iter(took))
    return [Speed(name=name, us=us, ratio=us / took[base], against=base) for name, us in took.items()]


def main() -> None:
    """Measure, print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedder", default="minilm", help="an alias, a path or a hub id (default minilm)")
    parser.add_argument("--examples", type=Path, default=Path("example/queries.jsonl"), help="JSONL to learn from")
    parser.add_argument("--queries", type=Path, default=Path("example/queries_held_out.jsonl"), help="JSONL to ask")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    embedder = load_embedder(arguments.embedder, folder=Path())
    examples = read_examples(arguments.examples)
    queries = [example.query for example in read_examples(arguments.queries)][:QUERIES]
    with threadpool_limits(limits=1):
        figures = [
            *static_speed(embedder, examples, queries),
            *many_categories(embedder, queries),
            *cascade_speed(embedder, examples, queries),
        ]
    if arguments.json:
        print(json.dumps({one.name: {"us": one.us, "ratio": one.ratio} for one in figures}, indent=2))  # noqa: T201 - the result
        return
    table = Table("decision", "CPU us", "ratio", "to")
    for one in figures:
        table.add_row(one.name, f"{one.us:.0f}", f"{one.ratio:.2f}", one.against)
    Console().print(table)


def _fitted(embedder: Embedder, examples: Sequence[Example]) -> StaticClassifier:
    texts, labels = [example.query for example in examples], [example.category for example in examples]
    return StaticClassifier(embedder).fit(texts, labels)


def _router(classifier: StaticClassifier) -> Router:
    """With a gate that weighs evidence, as a trained one does; where its threshold lies costs nothing."""
    gate = Gate(-9.0, tuple(Signal(name, 0.5, 0.1) for name in classifier.signals))
    return Router(classifier=classifier, temperature=1.0, gate=gate, qhat=0.9, general="general")


def _classify(router: Router) -> Callable[[str], object]:
    return lambda text: router.classify([text])


def _made_up(categories: int) -> list[Example]:
    """Examples of categories that differ in which of many made-up words they use."""
    rng = np.random.default_rng(SEED)
    words = np.array(["".join(chr(97 + letter) for letter in rng.integers(0, 26, 5)) for _ in range(WORDS)])
    return [
        Example(" ".join(words[(rng.integers(0, 40, 12) + category * 3) % WORDS]), f"category {category:04}")
        for category in range(categories)
        for _ in range(EXAMPLES_EACH)
    ]


if __name__ == "__main__":
    main()
