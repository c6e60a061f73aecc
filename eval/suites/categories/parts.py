"""What a report draws of the answers: risk and coverage, reliability, confusion, and the worst categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from eval.findings import Figures
from eval.metrics import Figure, confusion
from eval.metrics.calibration import reliability, risk_coverage
from eval.suites.categories.figures import Judged

__all__ = ["parts_of"]

MOST_POINTS = 200
MOST_SLICES = 10
MOST_EXAMPLES = 3
MOST_CHARACTERS = 300


def parts_of(found: Judged, figures: Figures) -> dict[str, Any]:
    """risk_coverage, reliability, confusion and slices, of the queries in scope."""
    inside = found.in_scope
    confidence = found.answers.confidence[inside]
    right = found.values["top_accuracy"][inside] == 1
    return {
        "risk_coverage": _thinned(risk_coverage(confidence, right).as_dict()),
        "reliability": [one.as_dict() for one in reliability(confidence, right)],
        "confusion": confusion(*found.pairs()),
        "slices": _slices(found, cast("Mapping[str, Figure]", figures["recall"])),
    }


def _thinned(curve: dict[str, Any]) -> dict[str, Any]:
    """At most so many points of the curve, both ends among them; its area is that of all."""
    n = len(curve["coverage"])
    kept = np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).round().astype(int)).tolist()
    return {name: [of[at] for at in kept] if isinstance(of, list) else of for name, of in curve.items()}


def _slices(found: Judged, recalls: Mapping[str, Figure]) -> list[dict[str, Any]]:
    """The categories of which the fewest are found, of equal ones the larger; none of which nothing is lost."""
    lossy = [(name, recall) for name, recall in recalls.items() if recall.value < 1]
    worst = sorted(lossy, key=lambda one: (one[1].value, -one[1].n, one[0]))[:MOST_SLICES]
    return [
        {
            "slice": f"category = {name}",
            "measure": "recall",
            "figure": recall.as_dict(),
            "examples": _examples(found, name),
        }
        for name, recall in worst
    ]


def _examples(found: Judged, category: str) -> list[dict[str, str]]:
    """The queries about which it was surest, and wrong."""
    answers = found.answers
    wrong = np.flatnonzero(found.values[f"recall.{category}"] == 0)
    surest = wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:MOST_EXAMPLES]
    return [
        {
            "query": _short(found.queries[row].text),
            "expected": category,
            "got": answers.categories[answers.sent[row]],
            "detail": _detail(found, row),
        }
        for row in surest.tolist()
    ]


def _detail(found: Judged, row: int) -> str:
    answers = found.answers
    likeliest = f"{answers.categories[answers.top[row]]} {answers.confidence[row]:.2f}"
    own = f"its own {answers.posterior[row, found.truth[row]]:.2f}"
    return f"{likeliest}, {own}" + (", the gate fired" if answers.gated[row] else "")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"
