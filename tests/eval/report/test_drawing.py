"""What stands behind the charts: rounding, scales, places for names, matrices."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_findings import sample_findings

from eval.findings import Findings
from eval.metrics import UNDEFINED, Figure, share
from eval.report.labels import Box, placed
from eval.report.numbers import interval, number, scale_of, value
from eval.report.rows import groups, key_rows, summary
from eval.report.tables import Confusion, HeatMap
from eval.report.text import shown

FRAME = Box(0, 0, 1000, 600)


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (Figure(0.95381, (0.9496, 0.9578), 9), ("0.9538", "0.9496 to 0.9578")),
        (Figure(0.000814, (0.000793, 0.000835), 9), ("0.000814", "0.000793 to 0.000835")),
        (Figure(1234.5, (1201.0, 1270.0), 9), ("1,234", "1,201 to 1,270")),
        (Figure(-0.0001, (-0.02, 0.02), 9), ("0.000", "-0.020 to 0.020")),
        (Figure(0.5, None, 9), ("0.5", "")),
        (UNDEFINED, ("undefined", "")),
        (Figure(1.0, (1.0, 1.0), 9), ("1.000", "1.000 to 1.000")),
        (Figure(0.0, (0.0, 0.0), 9), ("0", "0 to 0")),
    ],
)
def test_figures_have_the_digits_that_their_interval_supports(figure: Figure, expected: tuple[str, str]) -> None:
    """Ours: two digits of the half width."""
    assert (value(figure), interval(figure)) == expected


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (0, "0"),
        (0.1, "0.1"),
        (0.000207, "0.000207"),
        (12345.6, "12,346"),
        (2.5, "2.5"),
        (1 / 3, "0.3333"),
        (100, "100"),
    ],
)
def test_numbers_have_four_digits(of: float, expected: str) -> None:
    """Ours."""
    assert number(of) == expected


finite = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(finite, finite, finite).map(sorted), min_size=1))
@settings(deadline=None)
def test_a_scale_has_room_for_every_interval(rows: list[list[float]]) -> None:
    """Ours: nothing is drawn outside of its bar."""
    scale = scale_of([Figure(middle, (low, high), 5) for low, middle, high in rows])
    assert scale.low < scale.high
    for row in rows:
        low, middle, high = (scale.at(end) for end in row)
        assert 0 <= low <= middle <= high <= 100


point = st.tuples(st.floats(100, 900), st.floats(50, 550))


@given(st.lists(point, min_size=1, max_size=12, unique=True))
@settings(deadline=None, max_examples=40)
def test_names_stay_inside_the_frame(points: list[tuple[float, float]]) -> None:
    """Ours: each name, wherever the points lie."""
    boxes = placed(points, [(90.0, 12.0)] * len(points), taken=[], frame=FRAME)
    assert all(box.outside(FRAME) == pytest.approx(0) for box in boxes)


def test_names_of_crowded_points_do_not_overlap() -> None:
    """Specified: every expert labelled without overlaps."""
    points = [(500.0 + 9 * (at % 4), 300.0 + 7 * (at // 4)) for at in range(14)]
    marks = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    boxes = placed(points, [(120.0, 12.0)] * 14, taken=marks, frame=FRAME)
    assert sum(a.overlap(b) for at, a in enumerate(boxes) for b in boxes[:at]) == 0


def test_labels_of_the_confusion_matrix_keep_their_order_and_their_sums() -> None:
    """Ours: rows without queries go, columns that were only guessed come last."""
    part = Confusion.of({"a": {"a": 3, "b": 1, "z": 2}, "b": {"b": 4}, "z": {"a": 0, "z": 0}})
    assert (part.rows, part.columns) == (["a", "b"], ["a", "b", "z"])
    assert [(pair.true, pair.guess, pair.count, pair.n) for pair in part.pairs()] == [
        ("a", "z", 2, 6),
        ("a", "b", 1, 6),
    ]
    assert part.recall("a") == share(3, 6)
    assert [cell and cell.mark for cell in part.cells("a")] == ["right", "wrong", "wrong"]


def test_the_best_of_each_row_is_marked_the_lowest_where_lower_is_better() -> None:
    """Ours: equals are all marked, undefined cells are none."""
    cells = [[share(1, 2).as_dict(), share(1, 2).as_dict(), UNDEFINED.as_dict(), share(0, 2).as_dict()]]
    part = {"row_title": "category", "column_title": "expert", "rows": ["r"], "columns": ["a", "b", "c", "d"]}
    assert HeatMap.of({**part, "measure": "mean score", "cells": cells}).winners(0) == ["a", "b"]
    assert HeatMap.of({**part, "measure": "mean_cost", "cells": cells}).winners(0) == ["d"]
    assert math.isnan(HeatMap.of({**part, "measure": "x", "cells": [[None] * 4]}).best(0))


def test_figures_are_parted_into_summary_and_groups() -> None:
    """Ours: every figure is in one of them, once."""
    findings = sample_findings()
    assert [row.name for row in key_rows(findings)] == ["accuracy", "macro_f1", "ece", "coverage"]
    uncertain = Findings(suite="uncertain", run={}, figures={"accuracy": {"router": share(1, 2)}})
    assert [row.name for row in key_rows(uncertain)] == ["accuracy.router"]
    assert "auroc_ood" in [row.name for row in summary(findings.figures)]
    found = groups(findings.figures)
    assert [group.title for group in found] == ["recall", "experts", "flip_rate", "ndcg10.nfcorpus", "ndcg10.cran"]
    for group in found:
        values = [row.figure.value for row in group.rows if row.bar]
        assert values == sorted(values, reverse=True)


@given(st.text())
def test_shown_text_can_always_be_written(text: str) -> None:
    """Ours: as UTF-8, once and for all."""
    shown(text).encode("utf-8")
    assert shown(shown(text)) == shown(text)
    assert not any(ord(char) < 32 and char not in "\n\t" for char in shown(text))
