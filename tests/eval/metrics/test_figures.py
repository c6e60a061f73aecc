"""Values with intervals: known values and laws."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from eval.metrics import UNDEFINED, Figure, share


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


@given(st.integers(0, 50), st.integers(1, 50))
def test_the_interval_is_scipys(hits: int, n: int) -> None:
    """An independent Wilson interval."""
    hits = min(hits, n)
    theirs = binomtest(hits, n).proportion_ci(method="wilson")
    assert share(hits, n).ci95 == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_a_figure_survives_json() -> None:
    """Value, interval and n come back as they were."""
    figure = share(3, 7)
    assert Figure.from_dict(json.loads(json.dumps(figure.as_dict()))) == figure
    assert Figure.from_dict(Figure(1.5, None, 2).as_dict()) == Figure(1.5, None, 2)


def test_an_undefined_value_is_null_in_json_and_named_in_print() -> None:
    """NaN is no JSON, and a 0 would be a lie."""
    stored = json.loads(json.dumps(UNDEFINED.as_dict(), allow_nan=False))
    assert stored == {"value": None, "ci95": None, "n": 0}
    assert math.isnan(Figure.from_dict(stored).value)
    assert str(UNDEFINED) == "undefined (n = 0)"
