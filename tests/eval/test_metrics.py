"""The measures: known values and laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics import confusion, macro_f1, recalls, share

labels = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=40)


def test_wilson_interval_of_eight_in_ten() -> None:
    """A textbook value: 0.490 to 0.943."""
    figure = share(8, 10)
    assert figure.ci95 == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_a_share_of_nothing_is_refused() -> None:
    """Rather than a made-up 0."""
    with pytest.raises(ValueError, match="nothing"):
        share(0, 0)


@given(st.integers(0, 50), st.integers(1, 50))
def test_the_interval_holds_the_value(hits: int, n: int) -> None:
    """And stays within 0 and 1."""
    figure = share(min(hits, n), n)
    assert figure.ci95 is not None
    low, high = figure.ci95
    assert 0 <= low <= figure.value + 1e-12
    assert figure.value - 1e-12 <= high <= 1


@given(labels)
def test_confusion_counts_every_row_once(pairs: list[tuple[str, str]]) -> None:
    """Row sums are how often a label is true; the diagonal is what recall counts."""
    truth, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    table = confusion(truth, predicted)
    found = recalls(truth, predicted)
    assert all(sum(row.values()) == truth.count(label) for label, row in table.items())
    assert all(figure.value == table[label][label] / truth.count(label) for label, figure in found.items())


def test_macro_f1_of_a_small_case() -> None:
    """a: TP 1, FP 1, FN 1 -> .5; b: TP 1, FP 1, FN 1 -> .5."""
    assert macro_f1(["a", "a", "b", "b"], ["a", "b", "b", "a"]).value == pytest.approx(0.5)
