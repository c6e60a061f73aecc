"""The nearest examples: their votes by hand, what is equal to an example, folds, and state that does not fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.testing import WordEmbedder, check_classifier
from routers.classify import classifier_kind
from routers.classify.contribution import total
from routers.classify.nearest import NearestClassifier
from routers.embedding import Embedder, FloatArray
from routers.examples import Example
from routers.train import train

TEXTS = [f"{verb} the {thing} {n}" for verb in ("boil", "add", "paint") for thing in ("egg", "sum") for n in range(4)]
LABELS = [text.split(maxsplit=1)[0] for text in TEXTS]
FITTED = NearestClassifier(WordEmbedder(), k=5).fit(TEXTS, LABELS)


class Line:
    """A text is an angle in degrees."""

    dim, fingerprint = 2, "angles"

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, 2]."""
        angles = np.radians([float(text) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.mark.parametrize("parameters", [{}, {"k": 1}, {"k": 4, "sharpness": 0.0}, {"smoothing": 1.0}])
def test_keeps_the_contract_of_classifiers(parameters: dict[str, Any]) -> None:
    """The public conformance check; the kind is found by its entry point."""
    check_classifier(classifier_kind("nearest"), parameters=parameters)


def test_votes_are_those_of_the_formula() -> None:
    """Three of four vote, with exp(10 (cosine - 1)), beside one smoothing vote shared by two categories."""
    fitted = NearestClassifier(Line(), k=3, sharpness=10, smoothing=1).fit(
        ["0", "30", "60", "170"], ["a", "a", "b", "b"]
    )
    near, middle, far = (np.exp(10 * (np.cos(np.radians(angle)) - 1)) for angle in (10, 20, 50))
    votes = np.array([near + middle + 0.5, far + 0.5])
    np.testing.assert_allclose(fitted.posterior(["10"])[0], votes / votes.sum(), atol=1e-5)


def test_all_that_are_as_near_as_the_last_one_vote() -> None:
    """Whichever of equal examples came first must not decide."""
    fitted = NearestClassifier(Line(), k=1).fit(["10", "-10"], ["a", "b"])
    assert fitted.posterior(["0"])[0].tolist() == pytest.approx([0.5, 0.5])


def test_each_vote_is_named_and_they_add_up_to_the_score() -> None:
    """By category and number in the order of learning; what nobody voted for is the same for any text."""
    fitted = NearestClassifier(Line(), k=3, sharpness=10, smoothing=1).fit(
        ["0", "30", "60", "170"], ["a", "a", "b", "b"]
    )
    near, middle, far = (np.exp(10 * (np.cos(np.radians(angle)) - 1)) for angle in (10, 20, 50))
    parts = fitted.explain("10", ("b", "a"))
    assert [(part.part, part.name) for part in parts] == [
        ("category", "the category, whatever the text"),
        ("examples", "example 1 of a, likeness 0.98"),
        ("examples", "example 2 of a, likeness 0.94"),
        ("examples", "example 1 of b, likeness 0.64"),
    ]
    np.testing.assert_allclose(
        [part.values for part in parts], [(0.5, 0.5), (0, near), (0, middle), (far, 0)], atol=1e-5
    )
    (evidence,) = fitted.read(["10"])[1]
    assert evidence[0] == pytest.approx(near + middle + 0.5, abs=1e-5)
    assert evidence[1] == pytest.approx(np.cos(np.radians([10, 20, 50, 160])).mean(), abs=1e-5)


@given(st.text(max_size=60))
def test_votes_add_up_to_what_the_logits_are_the_logarithm_of(text: str) -> None:
    """Up to the share's denominator, which is the same for all categories."""
    votes = np.array(total(FITTED.explain(text, FITTED.classes_)))
    np.testing.assert_allclose(np.log(votes / votes.sum()), FITTED.logits([text])[0], atol=1e-4)
    assert FITTED.read([text])[1][0, 0] == pytest.approx(votes.max(), rel=1e-4)


def test_a_query_equal_to_an_example_is_its_category() -> None:
    """No distance is divided by."""
    posterior = FITTED.posterior(TEXTS)
    assert np.isfinite(FITTED.logits(TEXTS)).all()
    assert [FITTED.classes_[column] for column in posterior.argmax(axis=1)] == LABELS


@pytest.mark.parametrize("k", [3, 100])
def test_held_out_logits_are_those_of_a_fit_without_the_fold(k: int) -> None:
    """Exactly: nothing but the examples is learned."""
    fold = np.arange(len(TEXTS)) % 3
    held_out, evidence = NearestClassifier(WordEmbedder(), k=k).cross_read(TEXTS, LABELS, fold)
    for number in range(3):
        others, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        part = NearestClassifier(WordEmbedder(), k=k).fit([TEXTS[i] for i in others], [LABELS[i] for i in others])
        logits, seen = part.read([TEXTS[i] for i in held])
        np.testing.assert_allclose(held_out[held], logits, atol=1e-5)
        np.testing.assert_allclose(evidence[held], seen, atol=1e-5)


def test_a_category_of_one_fold_alone_gets_its_share_of_the_smoothing() -> None:
    """Finite, and never the likeliest."""
    fold = np.array([LABELS.index(x) for x in LABELS])
    logits, evidence = NearestClassifier(WordEmbedder()).cross_read(TEXTS, LABELS, fold)
    assert np.isfinite(logits).all()
    assert np.isfinite(evidence).all()
    assert not any(FITTED.classes_[column] == label for column, label in zip(logits.argmax(1), LABELS, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        {"examples": np.zeros((24, 3), dtype=np.float32)},
        {"examples": np.full((24, 64), np.nan, dtype=np.float32)},
        {"columns": np.zeros(24, dtype=np.float32)},
        {"columns": np.full(24, 0.5, dtype=np.float32)},
        {"columns": np.zeros(7, dtype=np.float32)},
        {"extra": np.zeros(1, dtype=np.float32)},
    ],
    ids=["dimension", "not a number", "category missing", "no category", "other number", "unknown tensor"],
)
def test_state_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    """ValueError, as the protocol says."""
    with pytest.raises(ValueError, match="tensor"):
        NearestClassifier(WordEmbedder()).restore(FITTED.classes_, {**FITTED.state(), **change})


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_text_has_a_finite_posterior(texts: list[str]) -> None:
    """Empty, other scripts, signs alone, and no text at all."""
    posterior = FITTED.posterior(texts)
    assert posterior.shape == (len(texts), 3)
    assert np.isfinite(FITTED.logits(texts)).all()
    np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-5)


def test_trains_a_router_on_the_layers_of_an_embedder(examples: list[Example], minilm: Embedder) -> None:
    """Real queries; three views of the model are averaged."""
    trained = train(examples, general="general", embedder=minilm, classifier="nearest", parameters={"k": 10})
    assert trained.report.accuracy > 0.75
    assert trained.dim == 3 * minilm.dim
    assert trained.router.classifier.parameters()["k"] == 10
