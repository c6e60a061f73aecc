"""Out of scope, and abstaining: against scikit-learn and counting by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from eval.metrics.detection import auroc, detection, threshold_keeping

scored = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.7]), st.booleans()), min_size=2, max_size=40)
flags = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


@given(scored)
def test_auroc_is_scikit_learns(pairs: list[tuple[float, bool]]) -> None:
    """Ties included; undefined where all are of one kind."""
    score, outside = np.array([s for s, _ in pairs]), np.array([o for _, o in pairs])
    if outside.all() or not outside.any():
        assert math.isnan(auroc(score, outside))
    else:
        assert auroc(score, outside) == pytest.approx(roc_auc_score(outside, score))


@given(scored)
def test_auroc_sees_order_alone(pairs: list[tuple[float, bool]]) -> None:
    """A rising change of scale changes nothing; the opposite score has the complement."""
    score, outside = np.array([s for s, _ in pairs]), np.array([o for _, o in pairs])
    if outside.any() and not outside.all():
        assert auroc(np.exp(3 * score) - 4, outside) == pytest.approx(auroc(score, outside))
        assert auroc(-score, outside) == pytest.approx(1 - auroc(score, outside))


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60), st.sampled_from([0.05, 0.5, 0.9, 0.95, 1.0]))
def test_the_threshold_is_the_lowest_that_keeps_enough(strangeness: list[float], kept: float) -> None:
    """Found by trying every value."""
    candidates = [t for t in strangeness if sum(s <= t for s in strangeness) >= kept * len(strangeness) - 1e-9]
    assert threshold_keeping(np.array(strangeness), kept=kept) == min(candidates)


def test_a_threshold_from_nothing_is_refused() -> None:
    """There is no query to keep."""
    with pytest.raises(ValueError, match="in-scope"):
        threshold_keeping(np.array([]))


@given(flags)
def test_detection_is_scikit_learns_precision_and_recall(pairs: list[tuple[bool, bool]]) -> None:
    """And its recall of the other kind is what is kept; each undefined where it has no queries."""
    flagged, should = np.array([f for f, _ in pairs]), np.array([s for _, s in pairs])
    found = detection(flagged, should)
    for figure, theirs in (
        (found.precision, precision_score(should, flagged, zero_division=np.nan)),
        (found.recall, recall_score(should, flagged, zero_division=np.nan)),
        (found.kept, recall_score(~should, ~flagged, zero_division=np.nan)),
    ):
        assert figure.value == pytest.approx(theirs, nan_ok=True)
        assert (figure.n == 0) == math.isnan(figure.value)
