"""Findings as a file: what is written is read again, and what was not written by a suite is refused."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.datasets import DataError
from eval.findings import Findings, PerQuery, flat, read_findings
from eval.metrics import UNDEFINED, Figure

FIGURES = {
    "score": Figure(0.5, (0.25, 0.75), 4),
    "undefined": UNDEFINED,
    "score_by_category": {"math": Figure(1.0, None, 1), "verse": {"deep": Figure(0.0, None, 1)}},
    "empty": {},
}
QUERIES = PerQuery(
    ids=("a", "b"), values={"score": np.array([1.0, math.nan]), "cost_usd": np.array([1.23456789e-7, 0.5])}
)


def findings(**fields: Any) -> Findings:
    given: dict[str, Any] = {"suite": "s", "run": {"seed": 0}, "figures": FIGURES, "queries": QUERIES, **fields}
    return Findings(**given)


def test_findings_come_back_from_their_file(tmp_path: Path) -> None:
    """Figures in their order, undefined ones, parts, notes and each query's values."""
    written = findings(parts={"slices": [1, 2], "confusion": {"a": {}}}, notes=("one", "two"))
    written.write(tmp_path / "sub" / "f.json")
    read = read_findings(tmp_path / "sub" / "f.json")
    assert read.as_dict() == written.as_dict()
    assert [name for name, _ in flat(read.figures)] == [
        "score",
        "undefined",
        "score_by_category.math",
        "score_by_category.verse.deep",
    ]
    assert dict(flat(read.figures))["score"] == FIGURES["score"]
    assert math.isnan(dict(flat(read.figures))["undefined"].value)
    assert read.queries.ids == QUERIES.ids
    assert math.isnan(read.queries.values["score"][1])


def test_the_same_findings_are_the_same_bytes(tmp_path: Path) -> None:
    """So that runs can be compared by their files; nothing is left beside them."""
    for name in ("a.json", "b.json"):
        findings().write(tmp_path / name)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_small_values_keep_their_digits() -> None:
    """A query may cost a tenth of a millionth of a dollar."""
    stored = QUERIES.as_dict()["values"]
    assert stored == {"score": [1, None], "cost_usd": [1.23456789e-7, 0.5]}
    assert isinstance(stored["score"][0], int)


@pytest.mark.parametrize(
    "clashing",
    [{"parts": {"score": []}}, {"parts": {"run": {}}}, {"figures": {"queries": UNDEFINED}}],
    ids=["a figure and a part", "a part and the run", "a figure and the queries"],
)
def test_two_of_a_name_are_refused(clashing: dict[str, Any]) -> None:
    """Ours: one of them would vanish unseen."""
    with pytest.raises(ValueError, match="no room for two of a name"):
        findings(**clashing).as_dict()


@pytest.mark.parametrize(
    "changed",
    [
        {"format": 2},
        {"suite": None},
        {"run": []},
        {"parts": ["absent"]},
        {"figure": 5},
        {"figure": {"value": 1, "ci95": [1], "n": 2}},
        {"queries": {"ids": ["a"], "values": {"score": [1, 2]}}},
        {"queries": {"ids": ["a", "a"], "values": {}}},
        {"queries": {"ids": ["a"], "values": {"score": ["x"]}}},
    ],
    ids=str,
)
def test_what_no_suite_has_written_is_refused_with_its_file(tmp_path: Path, changed: dict[str, Any]) -> None:
    """By one line that names the file."""
    path = tmp_path / "f.json"
    path.write_text(json.dumps({**findings().as_dict(), **changed}), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_findings(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: not written by 'orchestrator eval SUITE --json FILE'")


@pytest.mark.parametrize("content", ["", "{", "[]", "5", '"text"', "[" * 100_000], ids=lambda content: content[:5])
def test_other_json_is_refused_too(tmp_path: Path, content: str) -> None:
    """And what is no JSON at all."""
    path = tmp_path / "f.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError):
        read_findings(path)


def test_a_file_that_is_not_there_is_said_to_be_unreadable(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(DataError, match="cannot be read"):
        read_findings(tmp_path / "none.json")
