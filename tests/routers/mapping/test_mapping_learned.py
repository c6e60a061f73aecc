"""A learned mapping as data: along its frontier, to JSON and back, as a table, beside another one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from routers.errors import ArtifactError
from routers.mapping.difference import diff
from routers.mapping.learn import Budget, FuseColumn, LearnedMapping, learn_mapping
from routers.mapping.plan import Mapping, Plan

EXPERTS = ("strong", "weak")


def learned(*, maths: float = 0.9, experts: tuple[str, ...] = EXPERTS, **settings: Any) -> LearnedMapping:
    """Two categories: the strong expert is worth its cost for maths alone, by much or little elsewhere."""
    rng = np.random.default_rng(5)
    categories = ["maths"] * 200 + ["talk"] * 200
    strong = rng.random(400) < np.repeat([maths, 0.8], 200)
    weak = rng.random(400) < np.repeat([0.2, 0.7], 200)
    scores = np.column_stack([strong, weak, *([weak] * (len(experts) - 2))]).astype(np.float64)
    costs = np.tile([0.01, 0.001, *([0.001] * (len(experts) - 2))], (400, 1))
    return learn_mapping(categories, experts, scores, costs_usd=costs, **settings)


def test_cost_quality_moves_along_the_frontier() -> None:
    """Specified: 0 is the cheapest mapping, 1 the best; between them it goes so far from one cost to the other."""
    mapping = learned()
    assert [step.cost for step in mapping.frontier] == pytest.approx([0.001, 0.0055, 0.01])
    chosen = {
        place: (mapping.expert("maths", cost_quality=place), mapping.expert("talk", cost_quality=place))
        for place in (-1.0, 0.0, 0.49, 0.51, 0.99, 1.0, 2.0)
    }
    assert chosen == {
        -1.0: ("weak", "weak"),
        0.0: ("weak", "weak"),
        0.49: ("weak", "weak"),
        0.51: ("strong", "weak"),
        0.99: ("strong", "weak"),
        1.0: ("strong", "strong"),
        2.0: ("strong", "strong"),
    }
    assert mapping.at(0.51) == Mapping(
        {
            "maths": Plan(kind="single", experts=("strong", "weak")),
            "talk": Plan(kind="single", experts=("weak", "strong")),
        }
    )
    assert mapping.at(1.0).plans == mapping.plans
    assert [step.credit for step in mapping.frontier] == sorted(step.credit for step in mapping.frontier)


def test_json_and_back_is_the_same() -> None:
    """Specified: an artifact stores it."""
    fused = FuseColumn(name="both", members=EXPERTS, scores=np.ones(400))
    mapping = learned(budget=Budget(cost_per_query_usd=0.02), fuse_columns=[fused])
    stored = json.loads(json.dumps(mapping.as_dict(), allow_nan=False))
    again = LearnedMapping.from_dict(stored)
    assert again == mapping
    assert again.plans == mapping.plans
    assert again.plans["talk"] == Plan(kind="fuse", experts=EXPERTS)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("experts", ["strong"]),
        ("frontier", []),
        ("frontier", [{"cost": 1.0, "credit": 0.5, "changes": {"maths": "weak"}}]),
        ("best_single", "nobody"),
        ("cells", {}),
        ("format", 2),
        ("surplus", 1),
        ("ranking", {"maths": ["strong"]}),
        ("general_ranking", []),
    ],
)
def test_what_does_not_hang_together_is_not_loaded(key: str, value: object) -> None:
    """Specified: validation, with one error of ours."""
    with pytest.raises(ArtifactError):
        LearnedMapping.from_dict({**learned().as_dict(), key: value})


def test_matrix_marks_what_is_chosen() -> None:
    """Specified: rows categories, columns experts, mean [low, high]."""
    heading, maths, talk = learned().matrix.table(digits=2)
    assert heading == ["category", "strong", "weak"]
    assert (maths[0], talk[0]) == ("maths", "talk")
    assert maths[1].endswith("] *")
    assert maths[2].endswith("]")
    assert maths[1].startswith("0.9")


def test_nothing_changed_is_no_line() -> None:
    """Ours."""
    assert diff(learned(), learned()) == []


def test_what_changed_is_said_in_lines() -> None:
    """Specified: the difference of two artifacts is readable."""
    before = learned()
    after = learned(maths=0.1, experts=("strong", "weak", "twin"), budget=Budget(cost_per_query_usd=0.02))
    lines = diff(before, after)
    assert lines[:1] == ["best single expert: strong -> weak"]
    assert "budget cost_per_query_usd: none -> 0.02" in lines
    assert any(line.startswith("category maths: strong (then weak) -> weak (then ") for line in lines)
    assert "expert twin: new" in lines
    assert any(line.startswith("score of strong in maths: 0.") for line in lines)
    assert "expert twin: gone" in diff(after, before)
