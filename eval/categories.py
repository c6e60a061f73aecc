"""How well a router tells categories apart, on queries whose category is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eval.datasets import DataError
from eval.metrics import Figure, confusion, macro_f1, recalls, share
from routers.examples import Example
from routers.router import Router

__all__ = ["CategoryReport", "judge_categories"]

BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryReport:
    """What a router did with labelled queries.

    accuracy: of the category that a query is sent to, the gate included. top_accuracy: of the most probable one,
    as if there were no gate. gated: share that the gate sent to the general category. coverage: share whose true
    category is in the category set.
    """

    accuracy: Figure
    top_accuracy: Figure
    macro_f1: Figure
    gated: Figure
    coverage: Figure
    mean_set_size: float
    recall: dict[str, Figure]
    confusion: dict[str, dict[str, int]]
    wrong: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """As JSON; every figure is {value, ci95, n}."""
        return {
            "accuracy": self.accuracy.as_dict(),
            "top_accuracy": self.top_accuracy.as_dict(),
            "macro_f1": self.macro_f1.as_dict(),
            "gated": self.gated.as_dict(),
            "coverage": self.coverage.as_dict(),
            "mean_set_size": self.mean_set_size,
            "recall": {label: figure.as_dict() for label, figure in self.recall.items()},
            "confusion": self.confusion,
            "wrong": self.wrong,
        }


def judge_categories(
    router: Router, examples: Sequence[Example], *, progress: Callable[[int, int], None]
) -> CategoryReport:
    """Classify every query in batches and compare.

    Raises:
        DataError: there are no queries, or some are of categories that the router does not have.
    """
    if not examples:
        raise DataError(["there are no queries to judge by"])
    known = ", ".join(router.categories)
    strange = [
        f"{example.source}: category {example.category!r} is not the router's (known: {known})"
        for example in examples
        if example.category not in router.categories
    ]
    if strange:
        raise DataError(strange)
    routings = []
    for start in range(0, len(examples), BATCH):
        routings += router.classify([example.query for example in examples[start : start + BATCH]])
        progress(len(routings), len(examples))
    n = len(examples)
    truth = [example.category for example in examples]
    sent = [routing.category for routing in routings]
    judged = list(zip(examples, routings, strict=True))
    return CategoryReport(
        accuracy=share(sum(e.category == r.category for e, r in judged), n),
        top_accuracy=share(sum(e.category == r.top for e, r in judged), n),
        macro_f1=macro_f1(truth, sent),
        gated=share(sum(r.gate.fired is not None for r in routings), n),
        coverage=share(sum(e.category in r.category_set for e, r in judged), n),
        mean_set_size=sum(len(r.category_set) for r in routings) / n,
        recall=recalls(truth, sent),
        confusion=confusion(truth, sent),
        wrong=[
            {"query": e.query, "category": e.category, "sent_to": r.category, "confidence": r.confidence}
            for e, r in judged
            if e.category != r.category
        ],
    )
