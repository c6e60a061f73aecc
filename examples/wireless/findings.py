"""Figures of the three arms, with intervals by the bootstrap over questions. Asks nobody."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.metrics.bootstrap import Resampling
from eval.metrics.figures import share_or_undefined
from examples.wireless.arms import EXPERTS, LLM, Asked, Routed
from examples.wireless.channel import TASKS

__all__ = ["ARMS", "findings"]

ARMS = ("llm", "llm_tools", "tools")
_SEED, _DRAWS = 0, 2000
_LEAST_FOR_RATIO = 0.01


def findings(asked: Sequence[Asked], others: Sequence[Routed]) -> dict[str, Any]:
    """JSON: accuracy by arm and task, gains over the language model alone, and how the tools were used.

    others: where questions went that are about no capture.
    """
    right = {arm: np.array([one.labels[arm] == one.question.truth for one in asked], dtype=float) for arm in ARMS}
    drawn = Resampling(len(asked), draws=_DRAWS, seed=_SEED)
    return {
        "questions": len(asked),
        "accuracy": {arm: drawn.mean(right[arm]).as_dict() for arm in ARMS},
        "accuracy_by_task": {task: _of_task(asked, task) for task in TASKS},
        "gain_over_llm": {arm: _gain(drawn, after=right[arm], before=right["llm"]) for arm in ARMS[1:]},
        "most_frequent_label": _majority(asked),
        "without_label": {
            arm: share_or_undefined(sum(one.labels[arm] is None for one in asked), len(asked)).as_dict() for arm in ARMS
        },
        "tools": _use(asked, others),
    }


def _of_task(asked: Sequence[Asked], task: str) -> dict[str, Any]:
    rows = [one for one in asked if one.question.task == task]
    if not rows:
        return {}
    return {
        arm: share_or_undefined(sum(one.labels[arm] == one.question.truth for one in rows), len(rows)).as_dict()
        for arm in ARMS
    } | {
        "said": {arm: dict(Counter(str(one.labels[arm]) for one in rows)) for arm in ARMS},
        "chance": 1 / len(rows[0].question.options),
    }


def _gain(drawn: Resampling, *, after: Any, before: Any) -> dict[str, Any]:
    """Absolute (percentage points as a share) and relative, (after - before) / before, both paired."""

    def relative(means: Any) -> float:
        return float(means[0] / means[1] - 1) if means[1] >= _LEAST_FOR_RATIO else float("nan")

    return {
        "absolute": drawn.difference(after, before).as_dict(),
        "relative": drawn.of_means(np.column_stack([after, before]), relative).as_dict(),
    }


def _majority(asked: Sequence[Asked]) -> dict[str, float]:
    """What one would have right by always saying the label that is most frequent among those asked."""
    shares: dict[str, float] = {}
    for task in TASKS:
        truths = [one.question.truth for one in asked if one.question.task == task]
        if truths:
            shares[task] = Counter(truths).most_common(1)[0][1] / len(truths)
    return shares


def _use(asked: Sequence[Asked], others: Sequence[Routed]) -> dict[str, Any]:
    """Selection is right where the task's own tool was asked; output is ignored where the answer's label differs."""
    selected = [one.routed.expert == EXPERTS[one.question.task] for one in asked]
    wrong = [one.routed.expert != LLM and not hit for one, hit in zip(asked, selected, strict=True)]
    told = [one for one in asked if one.labels["tools"] is not None]
    ignored = sum(one.labels["llm_tools"] != one.labels["tools"] for one in told)
    counts: Mapping[str, tuple[int, int]] = {
        "selection_accuracy": (sum(selected), len(asked)),
        "wrong_tool": (sum(wrong), len(asked)),
        "no_tool": (sum(one.routed.expert == LLM for one in asked), len(asked)),
        "ignored_output": (ignored, len(told)),
        "needless_tool": (sum(one.expert != LLM for one in others), len(others)),
    }
    return {name: share_or_undefined(hits, n).as_dict() for name, (hits, n) in counts.items()}
