"""The gate and where it stands."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from routers.gate import MAX_POSTERIOR, Gate, GateReading, gate_threshold

confidences = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)
shares = st.floats(0.001, 0.999)


def test_gate_fires_below_its_threshold_and_says_why() -> None:
    """The reading names the test, what it measured and where it fires."""
    assert Gate(0.5).read(np.array([0.4, 0.35, 0.25])) == GateReading(MAX_POSTERIOR, 0.4, 0.5)


def test_gate_lets_its_threshold_pass() -> None:
    """Strictly below fires; the threshold itself is a confidence that was seen and kept."""
    assert Gate(0.5).read(np.array([0.5, 0.3, 0.2])) == GateReading(None, 0.5, 0.5)


@given(confidences, shares)
def test_gate_rejects_no_larger_share_of_right_ones_than_allowed(
    queries: list[tuple[float, bool]], false_reject: float
) -> None:
    """Counted over the queries that set the threshold."""
    confidence, right = (np.array(column) for column in zip(*queries, strict=True))
    threshold = gate_threshold(confidence, right, false_reject=false_reject)
    rejected = int((confidence[right] < threshold).sum())
    assert rejected <= false_reject * right.sum() + 1e-9


@given(confidences, shares)
def test_gate_threshold_is_the_largest_that_is_allowed(queries: list[tuple[float, bool]], false_reject: float) -> None:
    """The next larger number would reject too many."""
    confidence, right = (np.array(column) for column in zip(*queries, strict=True))
    if not right.any():
        return
    larger = np.nextafter(gate_threshold(confidence, right, false_reject=false_reject), np.inf)
    assert (confidence[right] < larger).sum() > false_reject * right.sum() - 1e-9


def test_classifier_that_is_never_right_lets_nobody_pass() -> None:
    """Nothing speaks for any category, so all goes to the general one."""
    assert gate_threshold(np.array([0.9, 0.8]), np.array([False, False]), false_reject=0.05) == 1.0
