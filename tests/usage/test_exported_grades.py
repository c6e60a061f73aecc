"""Grades that were there before come out of an export as they went in."""

from pathlib import Path

from orchestrator.usage.export import _graded_row, write_lines
from routers.mapping.graded import read_graded

LINES = """\
{"query": "what", "outcomes": {"a": {"score": 1, "cost_usd": 0.1, "answer": "4"}, "b": {"score": 0, "answer": ""}}}
{"category": "sums", "outcomes": {"a": {"score": 0.5}, "fuse": {"experts": ["a", "b"], "score": 1, "cost_usd": 0.2}}}
{"category": "sums", "outcomes": {"fuse": [{"experts": ["a", "b"], "verdict": "a", "score": 0}], "a": {"score": 0}}}
"""


def test_recorded_answers_and_graded_fuse_plans_stay(tmp_path: Path) -> None:
    """Training on an export that is together with `routing.scores` learns what training on these would."""
    before, after = tmp_path / "before.jsonl", tmp_path / "after.jsonl"
    before.write_text(LINES, encoding="utf-8")
    lines = read_graded(before).lines
    write_lines(after, map(_graded_row, lines))
    again = read_graded(after).lines
    assert len(lines) == 3
    for one, other in zip(lines, again, strict=True):
        assert (one.query, one.category, one.outcomes, one.fused) == (
            other.query,
            other.category,
            other.outcomes,
            other.fused,
        )
