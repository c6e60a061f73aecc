"""What the static tier costs beside bare loops and with very many categories, and what a cascade saves.

    python -m eval.speed.static

Everything on one thread. A decision is all of `Router.classify`. The bare loop does by hand what the static classifier
does (tokens, rows of its tables, its head, the largest probability) without calibration, category set, gate, evidence.
Beside it stands the least that could be called so: a mean of the pieces' vectors and one product.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
from rich.console import Console
from threadpoolctl import threadpool_limits

from eval.speed.ratio import Ratio, Times, ratio_table, side_by_side
from orchestrator.engine import cache_folder
from routers.calibration import Calibration
from routers.classify.cascade import CascadeClassifier
from routers.classify.kinds import seen_by
from routers.classify.phrases import HashedWords
from routers.classify.ridge import SOFTNESS
from routers.classify.static import StaticClassifier
from routers.embedding import Embedder, FloatArray
from routers.embedding.engine import Engine
from routers.embedding.load import load_embedder
from routers.embedding.pieces import pieces_of
from routers.examples import Example, read_examples
from routers.gate import Gate, Signal
from routers.router import Router

__all__ = [
    "FEW",
    "MANY",
    "bare_mean",
    "bare_static",
    "cascade_ratio",
    "fitted",
    "made_up",
    "main",
    "many_categories",
    "router_of",
    "static_ratios",
]

QUERIES = 200
FEW, MANY = 14, 1000
EXAMPLES = 3000
WORDS = 4000
SEED = 0
ROUNDS = 5


def bare_mean(embedder: Embedder, classes: int) -> Callable[[str], int]:
    """The least that tokenizes, looks up and applies a head: the mean of the pieces' vectors, a product, the largest.

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


def bare_static(classifier: StaticClassifier) -> Callable[[str], int]:
    """What a static classifier computes of a text, by hand."""
    pieces, phrases, table, centre = classifier.pieces, classifier.phrases, classifier.table_, classifier.centre_
    landmarks, near, sparse = classifier.landmarks_, classifier.near_, classifier.sparse_
    settings = classifier.parameters()
    fall, weight = np.float32(2 * settings["gamma"]), np.float32(settings["nearness"])

    def decide(text: str) -> int:
        numbers = np.array(pieces.numbers(text), dtype=np.int64)
        places, weights = phrases.weights(numbers)
        mean = table[numbers].mean(axis=0) - centre
        mean /= np.linalg.norm(mean)
        scores = weights @ sparse[places] + weight * np.exp(fall * (landmarks @ mean - 1)) @ near
        shares = np.log1p(np.exp((1 + scores) / (2 * SOFTNESS)))
        return int((shares / shares.sum()).argmax())

    return decide


def static_ratios(embedder: Embedder, examples: Sequence[Example], queries: Sequence[str]) -> list[Ratio]:
    """The static kind by itself and inside a router, beside bare loops, on real examples."""
    classifier = fitted(embedder, examples)
    router = router_of(classifier)
    times = _side_by_side(
        {
            "least": bare_mean(embedder, len(classifier.classes_)),
            "same": bare_static(classifier),
            "posterior": lambda text: classifier.posterior([text]),
            "decision": lambda text: router.classify([text]),
        },
        queries,
    )
    return [
        Ratio.of("static posterior / its own tokenize, look up, head", times, ours="posterior", yardstick="same"),
        Ratio.of("static decision / the same", times, ours="decision", yardstick="same", target=1.5),
        Ratio.of("static decision / a mean of vectors and a linear head", times, ours="decision", yardstick="least"),
    ]


def many_categories(embedder: Embedder, queries: Sequence[str]) -> Ratio:
    """A router's static decision with 1,000 categories beside one with 14, both of made-up examples."""
    routers = {str(k): router_of(fitted(embedder, made_up(k))) for k in (FEW, MANY)}
    times = _side_by_side({name: _classify(router) for name, router in routers.items()}, queries)
    figure = f"static decision, {MANY} categories / {FEW}"
    return Ratio.of(figure, times, ours=str(MANY), yardstick=str(FEW), target=3)


def cascade_ratio(
    embedder: Embedder,
    examples: Sequence[Example],
    queries: Sequence[str],
    *,
    inner: str = "kernel",
    parameters: Mapping[str, Any] | None = None,
    remembering: Embedder | None = None,
) -> tuple[Ratio, float]:
    """A cascade that really embeds what it passes on, beside its inner kind that embeds every query.

    With the share of the queries that its static tier answers. parameters: of the cascade. remembering: the same
    embedder to learn with, where what it embeds is kept.
    """
    given = {"inner": inner, **(parameters or {})}
    texts, labels = [example.query for example in examples], [example.category for example in examples]
    learned = CascadeClassifier(seen_by("cascade", remembering or embedder, given), **given).fit(texts, labels)
    cascade = CascadeClassifier(seen_by("cascade", embedder, given), **given)
    cascade.restore(learned.classes_, learned.state())
    calls = {
        "always": lambda text: cascade.inner.logits([text]),
        "cascade": lambda text: cascade.logits([text]),
    }
    times = _side_by_side(calls, queries, rounds=ROUNDS)
    ratio = Ratio.of(f"cascade / always {inner}", times, ours="cascade", yardstick="always", target=0.35)
    return ratio, float(cascade.answered_fast(queries).mean())


def main() -> None:
    """Measure, print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedder", default="minilm", help="an alias, a path or a hub id (default minilm)")
    parser.add_argument("--engine", default="auto", choices=get_args(Engine), help="that runs it (default auto)")
    parser.add_argument("--examples", type=Path, default=Path("example/queries.jsonl"), help="JSONL to learn from")
    parser.add_argument("--queries", type=Path, default=Path("example/queries_held_out.jsonl"), help="JSONL to ask")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    embedder = load_embedder(
        arguments.embedder, folder=Path(), engine=arguments.engine, cache=cache_folder() / "graphs"
    )
    examples = read_examples(arguments.examples)
    queries = [example.query for example in read_examples(arguments.queries)][:QUERIES]
    with threadpool_limits(limits=1):
        cascade, fast = cascade_ratio(embedder, examples, queries)
        ratios = [*static_ratios(embedder, examples, queries), many_categories(embedder, queries), cascade]
    if arguments.json:
        print(json.dumps({"ratios": [asdict(row) for row in ratios], "answered_fast": fast}, indent=2))  # noqa: T201 - the result
        return
    console = Console(highlight=False)
    console.print(ratio_table(ratios))
    console.print(f"answered by the static tier of the cascade: {fast:.3f} of {len(queries)} queries")


def _side_by_side(calls: Mapping[str, Callable[[str], object]], queries: Sequence[str], *, rounds: int = 15) -> Times:
    """Microseconds a query; each block asks all queries, since they differ in cost."""
    times = side_by_side({name: _every(call, queries) for name, call in calls.items()}, rounds=rounds)
    return {name: [us / len(queries) for us in of_rounds] for name, of_rounds in times.items()}


def _every(decide: Callable[[str], object], queries: Sequence[str]) -> Callable[[], object]:
    def ask() -> None:
        for query in queries:
            decide(query)

    return ask


def fitted(embedder: Embedder, examples: Sequence[Example]) -> StaticClassifier:
    """Learned from these examples."""
    texts, labels = [example.query for example in examples], [example.category for example in examples]
    return StaticClassifier(embedder).fit(texts, labels)


def router_of(classifier: StaticClassifier) -> Router:
    """With a gate that weighs evidence, as a trained one does; where its threshold lies costs nothing."""
    gate = Gate(-9.0, tuple(Signal(name, 0.5, 0.1) for name in classifier.signals))
    return Router(classifier=classifier, calibration=Calibration(), gate=gate, qhat=0.9, general="general")


def _classify(router: Router) -> Callable[[str], object]:
    return lambda text: router.classify([text])


def made_up(categories: int) -> list[Example]:
    """Examples of categories that differ in which of many made-up words they use."""
    rng = np.random.default_rng(SEED)
    words = np.array(["".join(chr(97 + letter) for letter in rng.integers(0, 26, 5)) for _ in range(WORDS)])
    return [
        Example(" ".join(words[(rng.integers(0, 40, 12) + category * 3) % WORDS]), f"category-{category:04}")
        for category in range(categories)
        for _ in range(EXAMPLES // categories)
    ]


if __name__ == "__main__":
    main()
