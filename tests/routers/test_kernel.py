"""The kernel classifier: its solve, its held-out scores in closed form, its state, and the n-grams it reads."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from orchestrator.testing import WordEmbedder, check_classifier
from routers.classify.kernel import KernelClassifier
from routers.classify.ngrams import NGrams
from routers.embedding import Embedder, FloatArray
from routers.embedding.cached import CachedEmbedder
from routers.embedding.layered import layered, views_of
from routers.examples import Example


class TwoViews:
    """Two word embedders side by side, as the layers of a model would be."""

    dim, views, fingerprint = 96, 2, "two views"

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, 96]."""
        rows: FloatArray = np.hstack([WordEmbedder(48).embed(texts), WordEmbedder(48).embed(texts)]) / np.sqrt(2)
        return rows.astype(np.float32)


class Fixed(NGrams):
    """Learned once on every text, so that a fold sees what the whole saw."""

    def fit_transform(self, texts: Sequence[str]) -> csr_array:
        """Keep what was learned."""
        return self.transform(texts)


TEXTS = [
    f"{verb} the {thing} {number}"
    for verb in ("boil", "add", "paint")
    for thing in ("egg", "sum", "wall")
    for number in range(4)
]
LABELS = [text.split(maxsplit=1)[0] for text in TEXTS]


@pytest.mark.parametrize("embedder", [WordEmbedder(), TwoViews()], ids=["one view", "two views"])
@pytest.mark.parametrize("landmarks", [8192, 4], ids=["exact", "projected"])
def test_keeps_the_contract_of_classifiers(embedder: Embedder, landmarks: int) -> None:
    """The public conformance check."""
    check_classifier(KernelClassifier, embedder, parameters={"landmarks": landmarks})


def test_scores_are_those_of_ridge_regression_with_the_kernel() -> None:
    """Compared with the library's own kernel ridge on the same kernel, written out."""
    from sklearn.kernel_ridge import KernelRidge  # noqa: PLC0415 - a second that other tests need not pay

    embedder = WordEmbedder()
    fitted = KernelClassifier(embedder, ridge=0.5, nearness=3, gamma=0.7).fit(TEXTS, LABELS)
    ngrams = NGrams().fit(TEXTS)

    def kernel(left: Sequence[str], right: Sequence[str]) -> FloatArray:
        distance = np.square(embedder.embed(left)[:, None] - embedder.embed(right)[None]).sum(-1)
        sparse: FloatArray = (ngrams.transform(left) @ ngrams.transform(right).T).toarray()
        return 3 * np.exp(-0.7 * distance) + sparse

    targets = np.array([[1 if label == name else -1 for name in fitted.classes_] for label in LABELS])
    ridge = KernelRidge(alpha=0.5, kernel="precomputed").fit(kernel(TEXTS, TEXTS), targets)
    new = ["boil a wall", "paint 7 eggs", "something else"]
    np.testing.assert_allclose(fitted.scores(new), ridge.predict(kernel(new, TEXTS)), atol=2e-4)


@pytest.mark.parametrize("landmarks", [8192, 9], ids=["exact", "projected"])
def test_held_out_scores_are_those_of_a_fit_without_the_fold(landmarks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form against doing it: the same landmarks and n-grams, the fold's rows left out."""
    fold = np.arange(len(TEXTS)) % 3
    whole = KernelClassifier(WordEmbedder(), landmarks=landmarks)
    held_out, _ = whole.cross_read(TEXTS, LABELS, fold)
    marks, ngrams = whole.landmarks_, whole._ngrams
    for number in range(3):
        rows = np.flatnonzero(fold != number)
        part = KernelClassifier(WordEmbedder(), landmarks=len(marks[0]))
        part._ngrams = Fixed().restore(ngrams.state())
        monkeypatch.setattr(part, "_mark", lambda _views, _owner, part=part: setattr(part, "landmarks_", marks))
        if landmarks > len(TEXTS):  # exact: the fold's own rows are its landmarks
            monkeypatch.undo()
            part = KernelClassifier(WordEmbedder(), landmarks=landmarks)
            part._ngrams = Fixed().restore(ngrams.state())
        part.fit([TEXTS[row] for row in rows], [LABELS[row] for row in rows])
        held = np.flatnonzero(fold == number)
        np.testing.assert_allclose(part.logits([TEXTS[row] for row in held]), held_out[held], atol=2e-3)


def test_evidence_is_high_for_what_was_learned_and_low_for_what_was_not() -> None:
    """Both signals; one look gives the same logits."""
    logits, evidence = FITTED.read(["boil the egg 1", "quantum chromodynamics"])
    assert FITTED.signals == ("score", "nearness")
    assert (evidence[0] > evidence[1]).all()
    np.testing.assert_array_equal(logits, FITTED.logits(["boil the egg 1", "quantum chromodynamics"]))


def test_held_out_evidence_does_not_count_the_own_fold() -> None:
    """A text that stands alone in its fold is near to nothing once its fold is left out."""
    texts, labels = [*TEXTS, "quantum chromodynamics", "quantum theory"], [*LABELS, "physics", "physics"]
    fold = np.array([*(np.arange(len(TEXTS)) % 3), 3, 3])
    kernel = KernelClassifier(WordEmbedder())
    _, held_out = kernel.cross_read(texts, labels, fold)
    _, seen = kernel.read(texts)
    assert (held_out[-2:] < seen[-2:] - 0.05).all()


def test_a_sample_keeps_every_category_in_its_proportion() -> None:
    """Beyond the limit: 36 texts of three categories, twelve of them learned from."""
    fitted = KernelClassifier(WordEmbedder(), most_examples=12).fit(TEXTS, LABELS)
    assert fitted.landmarks_.shape[1] == 12
    assert fitted.classes_ == ("add", "boil", "paint")
    assert [fitted.classes_[row] for row in fitted.logits(TEXTS).argmax(1)] == LABELS


@pytest.mark.parametrize(
    "change",
    [
        {"near": np.zeros((2, 3), dtype=np.float32)},
        {"sparse": np.zeros((1, 3), dtype=np.float32)},
        {"idf": np.zeros(1, dtype=np.float32)},
        {"words": np.full(1, 1e9, dtype=np.float32)},
        {"centre": np.full((1, 64), np.nan, dtype=np.float32)},
        {"extra": np.zeros(1, dtype=np.float32)},
    ],
    ids=["landmarks", "n-grams", "rarity", "words", "not a number", "unknown tensor"],
)
def test_state_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    """ValueError, as the protocol says."""
    fitted = KernelClassifier(WordEmbedder()).fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match="tensor"):
        KernelClassifier(WordEmbedder()).restore(fitted.classes_, {**fitted.state(), **change})


@given(st.lists(st.text(max_size=60), min_size=1, max_size=5))
def test_any_text_has_finite_scores(texts: list[str]) -> None:
    """Empty, other scripts, signs alone; unknown n-grams leave the part over meaning."""
    scores = FITTED.logits(texts)
    assert scores.shape == (len(texts), 3)
    assert np.isfinite(scores).all()


def test_a_megabyte_costs_no_more_than_what_is_looked_at() -> None:
    """Text beyond the limit changes nothing."""
    head = "boil the egg " * 700
    assert (NGrams().fit([head]).transform([head]) != NGrams().fit([head]).transform([head + "x" * 1_000_000])).nnz == 0


def test_numbers_are_the_same_sign() -> None:
    """17 and 25 % are one question."""
    ngrams = NGrams().fit(["17 % of 4310", "25 % of 1204"])
    assert (ngrams.transform(["17 % of 4310"]) != ngrams.transform(["25 % of 1204"])).nnz == 0


def test_layers_are_views_of_unit_length(minilm: Embedder) -> None:
    """The first is the plain vector; all are kept by caches."""
    views = layered(minilm)
    rows = views.embed(["boil an egg", "", "a much longer text on how to boil an egg without breaking it"])
    assert (views_of(views), views.dim, rows.dtype) == (3, 3 * minilm.dim, np.float32)
    blocks = rows.reshape(3, 3, -1)
    np.testing.assert_allclose(np.linalg.norm(blocks, axis=2), 1 / np.sqrt(3), atol=1e-5)
    np.testing.assert_allclose(blocks[0, 0] * np.sqrt(3), minilm.embed(["boil an egg"])[0], atol=1e-5)
    assert views_of(CachedEmbedder(views)) == 3
    assert views.fingerprint != minilm.fingerprint
    assert views.embed([]).shape == (0, views.dim)


def test_layers_improve_on_real_queries(examples: list[Example], minilm: Embedder) -> None:
    """Held-out logits find most categories of real queries."""
    texts, labels = [e.query for e in examples], [e.category for e in examples]
    kernel = KernelClassifier(layered(minilm))
    logits, _ = kernel.cross_read(texts, labels, np.arange(len(texts)) % 5)
    right = [kernel.classes_[column] == label for column, label in zip(logits.argmax(1), labels, strict=True)]
    assert np.mean(right) > 0.8


FITTED = KernelClassifier(WordEmbedder()).fit(TEXTS, LABELS)
