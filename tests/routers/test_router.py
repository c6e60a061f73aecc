"""A router at work, its numbers given by hand; and what its category leads to."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.calibration import Calibration
from routers.classify.linear import LinearClassifier
from routers.embedding import FloatArray
from routers.errors import RouterError
from routers.gate import Gate
from routers.mapping import Mapping, Plan
from routers.router import Router

numbers = st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=3)


class Given:
    """An embedder whose texts are their own vectors, so that logits can be written down."""

    dim = 3
    fingerprint = "given"

    def embed(self, texts: Sequence[str]) -> FloatArray:
        return np.array([[float(part) for part in text.split()] for text in texts], dtype=np.float32)


def router(*, temperature: float = 1.0, threshold: float = 0.0, qhat: float = 0.0) -> Router:
    """Logits are the text's numbers: identity coefficients."""
    classifier = LinearClassifier(Given()).restore(
        ("code", "math", "talk"), {"coef": np.eye(3, dtype=np.float32), "intercept": np.zeros(3, dtype=np.float32)}
    )
    return Router(
        classifier=classifier, calibration=Calibration(temperature), gate=Gate(threshold), qhat=qhat, general="general"
    )


def query(*probabilities: float) -> str:
    """A text whose softmax is these probabilities."""
    return " ".join(str(np.log(p)) for p in probabilities)


def test_routing_of_known_probabilities() -> None:
    """Likeliest first, everything that was measured beside it."""
    (routing,) = router(threshold=0.5, qhat=0.75).classify([query(0.3, 0.6, 0.1)])
    assert [category for category, _ in routing.posterior] == ["math", "code", "talk"]
    assert [p for _, p in routing.posterior] == pytest.approx([0.6, 0.3, 0.1])
    assert (routing.category, routing.top) == ("math", "math")
    assert routing.confidence == pytest.approx(0.6)
    assert routing.category_set == ("math", "code")
    assert routing.gate.fired is None


def test_gate_sends_to_general_and_keeps_what_was_likeliest() -> None:
    """The decision can say what it would have been."""
    (routing,) = router(threshold=0.7).classify([query(0.3, 0.6, 0.1)])
    assert (routing.category, routing.top) == ("general", "math")
    assert routing.gate.fired == "max_posterior"
    assert routing.gate.value == pytest.approx(0.6)


def test_temperature_flattens_the_posterior() -> None:
    """At temperature 2 probabilities go as their square roots."""
    (routing,) = router(temperature=2.0).classify([query(0.64, 0.32, 0.04)])
    roots = np.sqrt([0.64, 0.32, 0.04])
    assert [p for _, p in routing.posterior] == pytest.approx(roots / roots.sum(), abs=1e-6)


@given(st.lists(numbers, min_size=1, max_size=5), st.floats(0.05, 20), st.floats(0, 1), st.floats(0, 1))
def test_every_routing_is_consistent(
    rows: list[list[float]], temperature: float, threshold: float, qhat: float
) -> None:
    """Whatever the logits and settings."""
    made = router(temperature=temperature, threshold=threshold, qhat=qhat)
    for routing in made.classify([" ".join(map(str, row)) for row in rows]):
        probabilities = [p for _, p in routing.posterior]
        assert sum(probabilities) == pytest.approx(1, abs=1e-6)
        assert probabilities == sorted(probabilities, reverse=True)
        assert routing.posterior[0] == (routing.top, routing.confidence)
        assert routing.category_set[0] == routing.top
        assert routing.category == (routing.top if routing.confidence >= threshold else "general")


def test_no_queries_are_no_routings() -> None:
    """Nothing is embedded for nothing."""
    assert router().classify([]) == []


def test_categories_hold_the_general_one() -> None:
    """Every category that a plan is needed for."""
    assert router().categories == ("code", "general", "math", "talk")


def test_mapping_gives_the_plan_of_a_category() -> None:
    """Best expert first."""
    plan = Plan(kind="single", experts=("coder", "generalist"))
    assert Mapping({"code": plan}).plan("code") is plan


def test_category_without_plan_is_named() -> None:
    """With those that have one."""
    with pytest.raises(RouterError, match="'math'; there are plans for code"):
        Mapping({"code": Plan(kind="fuse", experts=("a", "b"))}).plan("math")
