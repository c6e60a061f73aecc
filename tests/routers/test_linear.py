"""The linear classifier, and how kinds of classifiers are found."""

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import numpy as np
import pytest

from routers.calibrate import softmax
from routers.classify import classifier_kind
from routers.classify.linear import LinearClassifier
from routers.embedding import Embedder
from routers.errors import UnknownClassifier
from routers.examples import Example


@pytest.fixture(scope="module")
def fitted(examples: list[Example], embedder: Embedder) -> LinearClassifier:
    """Fitted on the six categories."""
    return LinearClassifier(embedder).fit([e.query for e in examples], [e.category for e in examples])


def test_posterior_is_a_distribution_over_sorted_classes(fitted: LinearClassifier, examples: list[Example]) -> None:
    """Columns are `classes_`; it is right on what it learned."""
    posterior = fitted.posterior([e.query for e in examples])
    assert posterior.dtype == np.float32
    assert fitted.classes_ == tuple(sorted({e.category for e in examples}))
    np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-5)
    assert [fitted.classes_[column] for column in posterior.argmax(axis=1)] == [e.category for e in examples]


def test_restored_classifier_is_the_fitted_one(fitted: LinearClassifier, embedder: Embedder) -> None:
    """State and parameters are all there is."""
    restored = LinearClassifier(embedder, **fitted.parameters()).restore(fitted.classes_, fitted.state())
    np.testing.assert_array_equal(restored.logits(["boil an egg"]), fitted.logits(["boil an egg"]))


def test_two_categories_give_the_probabilities_of_binary_regression(embedder: Embedder) -> None:
    """Compared with the library's own classifier on the same vectors."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second that other tests need not pay

    texts, labels = ["boil rice", "fry an egg", "add 2 and 3", "divide by 7"], ["food", "food", "math", "math"]
    expected = LogisticRegression(C=10, class_weight="balanced").fit(embedder.embed(texts), labels)
    np.testing.assert_allclose(
        softmax(LinearClassifier(embedder).fit(texts, labels).logits(["boil water", "7 + 3"])),
        expected.predict_proba(embedder.embed(["boil water", "7 + 3"])),
        atol=1e-3,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"coef": np.zeros((6, 7), dtype=np.float32)},
        {"intercept": np.zeros(5, dtype=np.float32)},
        {"intercept": np.full(6, np.nan, dtype=np.float32)},
        {"extra": np.zeros(1, dtype=np.float32)},
    ],
    ids=["other dimension", "other number of categories", "not a number", "unknown tensor"],
)
def test_state_that_does_not_fit_is_refused(
    change: dict[str, Any], fitted: LinearClassifier, embedder: Embedder
) -> None:
    """ValueError, as the protocol says."""
    with pytest.raises(ValueError, match="tensor"):
        LinearClassifier(embedder).restore(fitted.classes_, {**fitted.state(), **change})


def test_kind_is_found_by_entry_point() -> None:
    """Ours is found as a stranger's would be."""
    assert classifier_kind("linear") is LinearClassifier


def test_kind_that_does_not_import_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin of a package that was half removed."""
    broken = EntryPoint("broken", "no_such_package_here:Kind", "orchestrator.routers")
    monkeypatch.setattr("routers.classify.kinds.entry_points", lambda **_: EntryPoints([broken]))
    with pytest.raises(UnknownClassifier, match="no_such_package_here"):
        classifier_kind("broken")
