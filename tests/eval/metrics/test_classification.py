"""Right or wrong: against scikit-learn, and laws."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score, top_k_accuracy_score

from eval.metrics import Resampling, accuracy, confusion, macro_f1, recalls
from eval.metrics.classification import in_top_k, top_k_sets

labels = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=40)


def columns(pairs: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


@given(labels)
def test_confusion_counts_every_row_once(pairs: list[tuple[str, str]]) -> None:
    """Row sums are how often a label is true; the diagonal is what recall counts."""
    truth, predicted = columns(pairs)
    table = confusion(truth, predicted)
    found = recalls(truth, predicted)
    assert all(sum(row.values()) == truth.count(label) for label, row in table.items())
    assert all(figure.value == table[label][label] / truth.count(label) for label, figure in found.items())


@given(labels)
def test_label_measures_are_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    """Accuracy, confusion, recall and macro F1, the last over the labels that are true somewhere."""
    truth, predicted = columns(pairs)
    true_labels = sorted(set(truth))
    table = confusion(truth, predicted)
    assert accuracy(truth, predicted).value == pytest.approx(accuracy_score(truth, predicted))
    theirs = confusion_matrix(truth, predicted, labels=list("abcd"))
    assert [[table.get(true, {}).get(guess, 0) for guess in "abcd"] for true in "abcd"] == theirs.tolist()
    assert [figure.value for figure in recalls(truth, predicted).values()] == pytest.approx(
        recall_score(truth, predicted, labels=true_labels, average=None)
    )
    assert macro_f1(truth, predicted).value == pytest.approx(
        f1_score(truth, predicted, labels=true_labels, average="macro")
    )


def test_macro_f1_of_a_small_case() -> None:
    """a: TP 1, FP 1, FN 1 -> .5; b: TP 1, FP 1, FN 1 -> .5."""
    assert macro_f1(["a", "a", "b", "b"], ["a", "b", "b", "a"]).value == pytest.approx(0.5)


def test_macro_f1_has_an_interval_where_queries_are_drawn() -> None:
    """Each end is the F1 of drawn queries: scikit-learn on the same draws gives the same."""
    random = np.random.default_rng(0)
    truth = random.integers(3, size=80)
    predicted = np.where(random.random(80) < 0.7, truth, random.integers(3, size=80))
    ours = macro_f1(["xyz"[i] for i in truth], ["xyz"[i] for i in predicted], resampling=Resampling(80, draws=60))
    theirs = Resampling(80, draws=60).of_rows(
        lambda rows: float(f1_score(truth[rows], predicted[rows], labels=np.unique(truth[rows]), average="macro"))
    )
    assert ours.value == pytest.approx(theirs.value)
    assert ours.ci95 == pytest.approx(theirs.ci95)


def test_macro_f1_of_nothing_is_refused() -> None:
    """As of lists that do not match."""
    with pytest.raises(ValueError, match="0 true labels"):
        macro_f1([], [])
    with pytest.raises(ValueError, match="1 true labels and 2"):
        macro_f1(["a"], ["a", "b"])


@given(st.integers(0, 1000), st.integers(1, 5))
def test_top_k_is_scikit_learns(seed: int, k: int) -> None:
    """Where no two probabilities are equal."""
    random = np.random.default_rng(seed)
    posterior = random.dirichlet(np.ones(6), size=30)
    truth = random.integers(6, size=30)
    assert in_top_k(posterior, truth, k).mean() == pytest.approx(
        top_k_accuracy_score(truth, posterior, k=k, labels=np.arange(6))
    )


def test_equal_probabilities_count_from_the_left() -> None:
    """As in argmax, so that the first of the top k is the predicted one."""
    flat = np.full((3, 3), 1 / 3)
    assert in_top_k(flat, np.array([0, 1, 2]), 1).tolist() == [True, False, False]
    assert in_top_k(flat, np.array([0, 1, 2]), 2).tolist() == [True, True, False]


@given(st.lists(st.lists(st.sampled_from([0.0, 0.25, 0.5]), min_size=4, max_size=4), min_size=1, max_size=8))
def test_top_k_sets_have_k_labels_and_grow(rows: list[list[float]]) -> None:
    """Each holds the one before, the first the argmax, the last everything."""
    posterior = np.array(rows)
    sets = [top_k_sets(posterior, k) for k in range(1, 5)]
    assert all((inside.sum(axis=1) == k).all() for k, inside in enumerate(sets, start=1))
    assert all((small <= large).all() for small, large in itertools.pairwise(sets))
    assert (sets[0].argmax(axis=1) == posterior.argmax(axis=1)).all()
