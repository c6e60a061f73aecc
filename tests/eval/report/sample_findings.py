"""Findings with every part that a report draws, computed from drawn numbers; and texts that break careless pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eval.findings import Figures, Findings
from eval.metrics import UNDEFINED, Figure, confusion, macro_f1, recalls, share
from eval.metrics.calibration import reliability, risk_coverage
from eval.metrics.cost_quality import convex_hull, zero_router

__all__ = ["CATEGORIES", "EXPERTS", "HOSTILE", "hostile_findings", "many_categories", "sample_findings"]

CATEGORIES = (
    *("biology", "business", "chemistry", "computer science", "economics", "engineering", "health", "history"),
    *("law", "math", "other", "philosophy", "physics", "psychology"),
)
EXPERTS = {
    "gpt-4-1106-preview": (0.00502, 0.806),
    "claude-v2": (0.0049, 0.741),
    "claude-v1": (0.0047, 0.757),
    "claude-instant-v1": (0.00061, 0.712),
    "gpt-3.5-turbo-1106": (0.00049, 0.733),
    "meta/llama-2-70b-chat": (0.00082, 0.641),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": (0.00055, 0.681),
    "zero-one-ai/Yi-34B-Chat": (0.00074, 0.718),
    "WizardLM/WizardLM-13B-V1.2": (0.00019, 0.552),
    "meta/code-llama-instruct-34b-chat": (0.00070, 0.531),
    "mistralai/mistral-7b-chat": (0.00018, 0.528),
}
HOSTILE = (
    "<script>alert('one')</script><img src=x onerror=alert(2)>",
    '"><svg/onload=alert(3)> \' " & &amp; `tick` | pipe | *bold* _it_ [link](http://example.org) $x^2$',
    "\u202eright to left override\u202c and עברית and العربية",
    "bell \x07, null \x00, escape \x1b[31m, half a pair \ud800, no character \uffff",
    "w" * 300,
    "@everyone see #1 and https://example.org/tracker.png",
    "{{ 7 * 7 }} {% raw %} <!-- comment --> ]]> </style></title>",
    "👩‍🔬 fünf 数学 e\u0301",
)
"""Markup, quotes, Markdown, turned text, control characters, a very long word, mentions, templates, scripts."""


def figure(value: float, half: float, n: int) -> Figure:
    """A figure with a symmetric interval."""
    return Figure(value, (value - half, value + half), n)


def sample_findings(suite: str = "categories", *, labels: Sequence[str] = CATEGORIES, n: int = 3000) -> Findings:
    """Findings of a router over `labels` and of eleven experts, with every part."""
    random = np.random.default_rng(7)
    truth = random.choice(labels, size=n)
    confidence = np.clip(random.beta(5, 1.6, size=n), 0.05, 0.999)
    right = random.random(n) < confidence**1.25
    strays = random.choice(labels[: max(2, len(labels) // 3)], size=n)
    guesses = np.where(right, truth, strays).tolist()
    right = np.array(guesses) == truth
    return Findings(
        suite=suite,
        run={
            "data": [{"name": "mmlu_pro_half0", "rows": n, "left_out": 12, "sha256": "3f" * 32}],
            "seed": 0,
            "settings": {"folds": 5, "embedder": "minilm", "experts": list(EXPERTS)[:3]},
            "versions": {"python": "3.11.2", "numpy": "2.4.6", "scikit-learn": "1.9.0"},
        },
        figures=_figures(truth.tolist(), guesses),
        parts={
            "risk_coverage": _thinned(risk_coverage(confidence, right).as_dict()),
            "reliability": [found.as_dict() for found in reliability(confidence, right)],
            "confusion": confusion(truth.tolist(), guesses),
            "frontier": _frontier(n),
            "calls": _calls(),
            "drafts_curve": _drafts(n),
            "heat_map": _heat_map(labels),
            "slices": _slices(labels),
            "errors": {"ExpertTimeout": 41, "ExpertFailed": 7, "NoExpertLeft": 1},
            "perplexities": {"unknown": [1, 2, {"deep": True}]},
        },
        notes=[
            "mmlu_pro_half0: 12 rows left out, first preds.jsonl:17 (null prediction)",
            "Few-shot prefixes are cut.",
        ],
    )


def hostile_findings() -> Findings:
    """Findings in which every name and every text is hostile."""
    sample = sample_findings(labels=HOSTILE, n=300)
    return Findings(
        suite=HOSTILE[0],
        run={
            "data": [{"name": text, "rows": 1, "left_out": 1, "sha256": text} for text in HOSTILE],
            "seed": 1,
            "settings": dict(zip(HOSTILE, HOSTILE[::-1], strict=True)),
            "versions": {text: text for text in HOSTILE},
        },
        figures={**{text: figure(0.5, 0.1, 7) for text in HOSTILE}, "recall": sample.figures["recall"]},
        parts={
            **sample.parts,
            "frontier": {
                **sample.parts["frontier"],
                "points": [
                    {**point, "name": text} for point, text in zip(_frontier(9)["points"], HOSTILE, strict=False)
                ],
                "cost_unit": HOSTILE[1],
            },
            "calls": {**_calls(), "weak": HOSTILE[0], "strong": HOSTILE[4]},
            "slices": [
                {**found, "slice": text, "examples": [dict.fromkeys(("query", "expected", "got", "detail"), text)]}
                for text, found in zip(HOSTILE, _slices(HOSTILE) * len(HOSTILE), strict=False)
            ],
            "errors": dict.fromkeys(HOSTILE, 3),
            HOSTILE[0]: list(HOSTILE),
        },
        notes=HOSTILE,
    )


def many_categories(count: int = 150) -> Findings:
    """As `sample_findings`, with as many categories as CLINC150 has."""
    return sample_findings(labels=[f"intent {number:03d}" for number in range(count)], n=4500)


def _figures(truth: Sequence[str], guesses: Sequence[str]) -> Figures:
    n = len(truth)
    return {
        "accuracy": share(sum(a == b for a, b in zip(truth, guesses, strict=True)), n),
        "macro_f1": figure(macro_f1(truth, guesses).value, 0.016, n),
        "top3": figure(0.913, 0.009, n),
        "ece": Figure(0.0213, (0.015, 0.0331), n),
        "brier": figure(0.3312, 0.012, n),
        "coverage": figure(0.904, 0.0107, n),
        "mean_set_size": figure(1.482, 0.031, n),
        "auroc_ood": UNDEFINED,
        "mean_cost": figure(0.000814, 0.000021, n),
        "gap_closed": figure(0.031, 0.052, n),
        "recall": recalls(truth, guesses),
        "flip_rate": {
            "typo": figure(0.061, 0.008, n),
            "case": figure(0.004, 0.002, n),
            "paraphrase": figure(0.043, 0.007, n),
            "negation": UNDEFINED,
        },
        "experts": {name: figure(quality, 0.016, n) for name, (_, quality) in EXPERTS.items()},
        "ndcg10": {
            "nfcorpus": {"minilm": figure(0.313, 0.03, 323), "bm25": figure(0.322, 0.031, 323)},
            "cran": {"minilm": figure(0.463, 0.035, 225), "bm25": figure(0.506, 0.034, 225)},
        },
    }


def _thinned(curve: dict[str, Any]) -> dict[str, Any]:
    step = max(1, len(curve["risk"]) // 200)
    return {key: row[::step] if isinstance(row, list) else row for key, row in curve.items()}


def _frontier(n: int) -> dict[str, Any]:
    costs = np.array([cost for cost, _ in EXPERTS.values()])
    qualities = np.array([quality for _, quality in EXPERTS.values()])
    points = [
        *((name, "expert", cost, quality) for name, (cost, quality) in EXPERTS.items()),
        ("plan", "router", 0.0011, 0.786),
        ("knn", "router", 0.0009, 0.763),
        ("category_predicted", "router", 0.0013, 0.771),
        ("random", "random", float(costs.mean()), float(qualities.mean())),
        ("oracle", "oracle", 0.00062, 0.951),
    ]
    drawn = [
        {
            "name": name,
            "kind": kind,
            "cost": figure(cost, cost * 0.03, n).as_dict(),
            "quality": figure(quality, 0.012, n).as_dict(),
        }
        for name, kind, cost, quality in points
    ]
    answering = [point for point in points if point[1] != "oracle"]
    hull = convex_hull(np.array([p[2] for p in answering]), np.array([p[3] for p in answering]))
    zero = zero_router(costs, qualities)
    return {
        "points": drawn,
        "hull": {"costs": hull.costs.tolist(), "qualities": hull.qualities.tolist()},
        "zero_hull": {"costs": zero.costs.tolist(), "qualities": zero.qualities.tolist()},
        "cost_unit": "USD a query",
    }


def _calls() -> dict[str, Any]:
    shares = np.linspace(0, 1, 101)
    qualities = 0.681 + 0.125 * (0.55 * shares + 0.45 * np.sin(shares * np.pi / 2)) + 0.012 * shares * (1 - shares)
    return {
        "shares": shares.tolist(),
        "qualities": qualities.tolist(),
        "weak": "mistralai/Mixtral-8x7B-Instruct-v0.1",
        "strong": "gpt-4-1106-preview",
    }


def _drafts(n: int) -> dict[str, Any]:
    accuracy = (0.444, 0.452, 0.471, 0.479, 0.483)
    return {
        "drafts": [1, 2, 3, 4, 5],
        "accuracy": [figure(value, 0.013, n).as_dict() for value in accuracy],
        "calls": [1, 1.4, 1.9, 2.3, 2.8],
    }


def _heat_map(labels: Sequence[str]) -> dict[str, Any]:
    random = np.random.default_rng(3)
    experts = [*EXPERTS][:6]
    ease = random.uniform(0.25, 0.8, size=len(labels))
    skill = random.uniform(-0.12, 0.15, size=(len(labels), len(experts)))
    cells: list[list[dict[str, Any] | None]] = [
        [
            share(int(np.clip(ease[row] + skill[row, column], 0, 1) * 240), 240).as_dict()
            for column in range(len(experts))
        ]
        for row in range(len(labels))
    ]
    cells[1][2] = None
    return {
        "row_title": "category",
        "column_title": "expert",
        "measure": "mean score",
        "rows": [*labels],
        "columns": experts,
        "cells": cells,
    }


def _slices(labels: Sequence[str]) -> list[dict[str, Any]]:
    example = {
        "query": "A body moves along the x axis with x = 3t² - 2t + 1.\nWhat is its speed after 2 s?",
        "expected": "physics",
        "got": "math",
        "detail": "confidence .62, set {math, physics}",
    }
    return [
        {
            "slice": f"category = {label}",
            "measure": "accuracy",
            "figure": share(41 + 23 * place, 200).as_dict(),
            "examples": [example, {**example, "query": "Short one?", "detail": ""}][: 2 - place % 2],
        }
        for place, label in enumerate(labels[:5])
    ]
