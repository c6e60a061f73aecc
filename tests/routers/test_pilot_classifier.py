"""Pilots as a classifier: its rules, small categories, and state that does not fit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.testing import WordEmbedder, check_classifier
from routers.classify import classifier_kind
from routers.classify.contribution import total
from routers.classify.pilots import PilotClassifier
from routers.embedding import Embedder
from routers.errors import TrainingError
from routers.examples import Example
from routers.pilots import Rule
from routers.train import train

TEXTS = [f"{verb} the {thing} {n}" for verb in ("boil", "add", "paint") for thing in ("egg", "sum") for n in range(4)]
LABELS = [text.split(maxsplit=1)[0] for text in TEXTS]
FITTED = PilotClassifier(WordEmbedder(), k=2, smallest=2).fit(TEXTS, LABELS)


@pytest.mark.parametrize("rule", ["mean", "nearest", "weighted"])
@pytest.mark.parametrize("more", [{}, {"k": 2, "smallest": 2}, {"similarity": "dot", "scale": 3.0}])
def test_keeps_the_contract_of_classifiers(rule: Rule, more: dict[str, Any]) -> None:
    """The public conformance check; the kind is found by its entry point."""
    check_classifier(classifier_kind("pilots"), parameters={"rule": rule, **more})


def test_one_centroid_a_category_is_the_mean_of_its_examples() -> None:
    """Logits are the scaled cosines to the means."""
    embedder = WordEmbedder()
    fitted = PilotClassifier(embedder, scale=7).fit(TEXTS, LABELS)
    rows = embedder.embed(TEXTS)
    means = np.stack([rows[[label == name for label in LABELS]].mean(axis=0) for name in fitted.classes_])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    new = ["boil the sum", "something else"]
    np.testing.assert_allclose(fitted.logits(new), 7 * embedder.embed(new) @ means.T, atol=1e-4)


def test_rules_differ_where_a_category_has_several_centroids() -> None:
    """The nearest of two is at least as near as their mean."""
    rules: tuple[Rule, ...] = ("mean", "nearest", "weighted")
    mean, nearest, weighted = (
        PilotClassifier(WordEmbedder(), k=2, rule=rule).fit([*TEXTS, "boil the egg 9"], [*LABELS, "boil"]).logits(TEXTS)
        for rule in rules
    )
    assert (nearest >= mean - 1e-5).all()
    assert (nearest > mean + 1e-3).any()
    assert np.abs(weighted - mean).max() > 1e-4


RULED = [
    PilotClassifier(WordEmbedder(), k=2, smallest=2, rule=rule, similarity=similarity).fit(
        [*TEXTS, "sing it"], [*LABELS, "sing"]
    )
    for rule in ("mean", "nearest", "weighted")
    for similarity in ("dot", "cosine")
]


@pytest.mark.parametrize("fitted", RULED)
@given(text=st.text(max_size=60))
def test_what_pilots_add_sums_to_the_logits(fitted: PilotClassifier, text: str) -> None:
    """Every rule and similarity, a category without pilots included."""
    np.testing.assert_allclose(total(fitted.explain(text, fitted.classes_)), fitted.logits([text])[0], atol=1e-4)


def test_each_pilot_is_named_with_its_examples() -> None:
    """By category and number; by the rule `nearest` only the one that decided."""
    mean, nearest = (PilotClassifier(WordEmbedder(), k=2, rule=rule).fit(TEXTS, LABELS) for rule in ("mean", "nearest"))
    names = [part.name for part in mean.explain("boil the egg", ("boil",)) if part.part == "pilot"]
    assert [name.split(",")[0] for name in names] == ["pilot 1 of boil", "pilot 2 of boil"]
    assert sum(int(name.split()[4]) for name in names) == LABELS.count("boil")
    (best,) = [part.name for part in nearest.explain("boil the egg", ("boil",)) if part.part == "pilot"]
    assert best in names
    assert best.endswith(f"{max(float(name.split()[-1]) for name in names):.2f}")


@pytest.mark.parametrize("rule", ["mean", "nearest", "weighted"])
def test_held_out_logits_and_evidence_are_those_of_a_fit_without_the_fold(rule: Rule) -> None:
    """Exactly, and afterwards it is fitted on everything."""
    fold = np.arange(len(TEXTS)) % 3
    whole = PilotClassifier(WordEmbedder(), k=2, rule=rule)
    logits, evidence = whole.cross_read(TEXTS, LABELS, fold)
    for number in range(3):
        others, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        part = PilotClassifier(WordEmbedder(), k=2, rule=rule)
        part.fit([TEXTS[i] for i in others], [LABELS[i] for i in others])
        expected, seen = part.read([TEXTS[i] for i in held])
        np.testing.assert_allclose(logits[held], expected, atol=1e-5)
        np.testing.assert_allclose(evidence[held], seen, atol=1e-5)
    again = PilotClassifier(WordEmbedder(), k=2, rule=rule).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(whole.logits(TEXTS), again.logits(TEXTS))


def test_a_category_that_is_too_small_leaves_no_pilot_and_is_never_likely() -> None:
    """Its logit is that of the least similarity, also after a restore."""
    fitted = PilotClassifier(WordEmbedder(), smallest=3, scale=5).fit([*TEXTS, "sing it"], [*LABELS, "sing"])
    restored = PilotClassifier(WordEmbedder(), **fitted.parameters()).restore(fitted.classes_, fitted.state())
    for one in (fitted, restored):
        assert one.classes_ == ("add", "boil", "paint", "sing")
        assert (one.logits(["sing it"])[:, 3] == -5).all()


def test_categories_that_are_all_too_small_are_refused() -> None:
    """The error says how many examples are needed."""
    with pytest.raises(TrainingError, match="9 queries"):
        PilotClassifier(WordEmbedder(), smallest=9).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    "change",
    [
        {"centroids": np.zeros((6, 3), dtype=np.float32)},
        {"centroids": np.full((6, 64), np.nan, dtype=np.float32)},
        {"columns": np.full(6, 3, dtype=np.float32)},
        {"counts": np.ones(5, dtype=np.float32)},
        {"categories": np.array([4], dtype=np.float32)},
        {"extra": np.zeros(1, dtype=np.float32)},
    ],
    ids=["dimension", "not a number", "no category", "other number", "other categories", "unknown tensor"],
)
def test_state_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    """ValueError, as the protocol says."""
    with pytest.raises(ValueError, match="tensor"):
        PilotClassifier(WordEmbedder()).restore(FITTED.classes_, {**FITTED.state(), **change})


def test_pilots_of_no_query_are_refused() -> None:
    """ValueError of the library."""
    state = {**FITTED.state(), "counts": np.zeros(6, dtype=np.float32)}
    with pytest.raises(ValueError, match="at least one query"):
        PilotClassifier(WordEmbedder()).restore(FITTED.classes_, state)


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_text_has_a_finite_posterior(texts: list[str]) -> None:
    """Empty, other scripts, signs alone, and no text at all."""
    posterior = FITTED.posterior(texts)
    assert posterior.shape == (len(texts), 3)
    assert np.isfinite(FITTED.logits(texts)).all()
    np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-5)


def test_trains_a_router_on_real_queries(examples: list[Example], minilm: Embedder) -> None:
    """Held-out folds of six categories."""
    trained = train(examples, general="general", embedder=minilm, classifier="pilots")
    assert trained.report.accuracy > 0.75
