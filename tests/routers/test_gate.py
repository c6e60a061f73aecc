"""The gate and where it stands."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from routers.gate import MAX_POSTERIOR, Gate, GateReading, Signal, gate_threshold

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


SIGNALS = (Signal("score", 0.5, 0.1), Signal("nearness", 0.6, 0.2))


def test_signals_are_weighed_together_and_the_lowest_is_named() -> None:
    """Half a spread below in the mean: a strong score makes up for some distance, not for all of it."""
    gate = Gate(-0.5, SIGNALS)
    posterior = np.array([0.9, 0.1])
    far = gate.read(posterior, np.array([0.5, 0.2], dtype=np.float32))
    assert (far.fired, round(far.value, 3)) == ("nearness", -1.0)
    made_up = gate.read(posterior, np.array([0.65, 0.2], dtype=np.float32))
    assert (made_up.fired, round(made_up.value, 3)) == (None, -0.25)
    weak = gate.read(posterior, np.array([0.2, 0.6], dtype=np.float32))
    assert weak.fired == "score"


@given(
    st.lists(st.tuples(st.floats(-2, 2, width=32), st.floats(-1, 1, width=32), st.booleans()), min_size=1, max_size=50),
    shares,
)
def test_learned_gate_rejects_no_larger_share_of_right_ones_than_allowed(
    queries: list[tuple[float, float, bool]], false_reject: float
) -> None:
    """With evidence as without, constant signals too."""
    *evidence, right = (np.array(column) for column in zip(*queries, strict=True))
    seen = np.stack(evidence, axis=1).astype(np.float32)
    posterior = np.full((len(right), 2), 0.5)
    gate = Gate.learned(posterior, right, false_reject=false_reject, evidence=seen, names=("score", "nearness"))
    values = gate.familiarity(posterior, seen)
    assert np.isfinite(values).all()
    assert (values[right] < gate.threshold).sum() <= false_reject * right.sum() + 1e-9


def test_without_evidence_the_learned_gate_looks_at_the_posterior() -> None:
    """As classifiers do that show none."""
    posterior = np.array([[0.9, 0.1], [0.6, 0.4]])
    gate = Gate.learned(posterior, np.array([True, True]), false_reject=0.05)
    assert (gate.signals, gate.threshold) == ((), 0.6)
