"""The static kind: what it learns without an encoder, what it takes, and what its explanation adds up to."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.testing import WordEmbedder, check_classifier
from routers.classify.phrases import HashedWords, Phrases
from routers.classify.static import StaticClassifier
from routers.embedding import Embedder, FloatArray
from routers.embedding.cached import CachedEmbedder
from routers.embedding.layered import layered
from routers.embedding.pieces import TokenPieces, pieces_of, read_pieces
from routers.errors import WeightsError
from routers.examples import Example
from routers.weights import find

HOSTILE = [
    "",
    " \n\t",
    "a" * 1_000_000,
    "word " * 200_000,
    "\ud800 lone \udfff",
    "\0\x01\x7f",
    "كيف حالك اليوم",
    "👩‍👩‍👧‍👦 🇳🇴",
    "mixed עברית and 中文 text",
]


class Silent(WordEmbedder):
    """An embedder with MiniLM's pieces that refuses to embed."""

    def __init__(self, minilm: Embedder) -> None:
        super().__init__()
        self._minilm = minilm

    def embed(self, texts: object) -> FloatArray:
        raise AssertionError(texts)

    def pieces(self) -> object:
        """Those of the model."""
        return pieces_of(self._minilm)


@pytest.fixture(scope="module")
def fitted(examples: list[Example], minilm: Embedder) -> StaticClassifier:
    """Learned from six categories of eight queries, without an encoder."""
    return StaticClassifier(Silent(minilm)).fit([e.query for e in examples], [e.category for e in examples])


def test_keeps_the_contract_of_classifiers(minilm: Embedder) -> None:
    """With a model's pieces and vectors, and with words alone."""
    check_classifier(StaticClassifier)
    check_classifier(StaticClassifier, minilm)
    check_classifier(StaticClassifier, minilm, parameters={"landmarks": 4, "dim": 2, "most_examples": 6})


def test_pieces_come_through_whatever_is_around_an_embedder(minilm: Embedder) -> None:
    """Memory and layers change vectors or their price, not what is read; an unknown embedder has words."""
    numbers = TokenPieces.numbers
    plain = pieces_of(minilm)
    assert isinstance(plain, TokenPieces)
    for wrapped in (CachedEmbedder(minilm), layered(minilm), CachedEmbedder(layered(minilm))):
        found = pieces_of(wrapped)
        assert isinstance(found, TokenPieces)
        assert numbers(found, "how are you") == numbers(plain, "how are you") == [2129, 2024, 2017]
    assert plain.names("how are you") == ["how", "are", "you"]
    assert plain.vectors().shape == (plain.size, 384)
    assert pieces_of(WordEmbedder()) is None


def test_pieces_are_cut_where_the_embedder_cuts() -> None:
    """A thousand words and eight are the same to it where it reads eight; a folder without a tokenizer has none."""
    short = read_pieces(find("minilm"), max_tokens=8)
    assert short is not None
    assert len(short.numbers("word " * 1000)) == len(short.numbers("word " * 8)) == 8
    assert read_pieces(find("minilm").parent, max_tokens=8) is None


def test_a_tokenizer_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """Hashed words in its place would be another classifier under the same name."""
    (tmp_path / "tokenizer.json").write_text("{")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_pieces(tmp_path, max_tokens=8)


def test_is_right_on_queries_it_has_not_seen(examples: list[Example], minilm: Embedder) -> None:
    """Six categories of eight queries, each by what the others teach; guessing would be right one time in six."""
    texts, labels = [e.query for e in examples], [e.category for e in examples]
    classifier = StaticClassifier(minilm)
    logits, evidence = classifier.cross_read(texts, labels, np.arange(len(texts)) % 4)
    right = np.array([classifier.classes_[column] for column in logits.argmax(axis=1)]) == labels
    assert right.mean() > 0.6
    assert evidence.shape == (len(texts), 2)


def test_held_out_scores_decide_as_a_fit_without_the_fold() -> None:
    """And are not those of a classifier that has seen the text."""
    texts = [f"{a} {b}" for a in ("red", "blue", "green") for b in ("cat", "dog", "cow", "hen")]
    labels = [text.split()[0] for text in texts]
    fold = np.arange(12) % 4
    kind = StaticClassifier(WordEmbedder(), landmarks=12)
    logits, _ = kind.cross_read(texts, labels, fold)
    others = fold != 0
    part = StaticClassifier(WordEmbedder(), landmarks=12).fit(
        [text for text, kept in zip(texts, others, strict=True) if kept],
        [label for label, kept in zip(labels, others, strict=True) if kept],
    )
    held = [text for text, kept in zip(texts, others, strict=True) if not kept]
    assert (logits[~others].argmax(axis=1) == part.logits(held).argmax(axis=1)).all()
    assert (logits.argmax(axis=1) == [kind.classes_.index(label) for label in labels]).all()
    assert not np.allclose(logits, kind.logits(texts), atol=1e-3)


def test_same_examples_give_the_same_classifier(examples: list[Example], minilm: Embedder) -> None:
    """To the last bit."""
    texts, labels = [e.query for e in examples], [e.category for e in examples]
    one, other = (StaticClassifier(minilm).fit(texts, labels).state() for _ in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_text_among_others_is_read_as_alone(fitted: StaticClassifier) -> None:
    """No text depends on who is asked beside it."""
    texts = ["add two numbers", "boil an egg", ""]
    np.testing.assert_array_equal(fitted.logits(texts), np.concatenate([fitted.logits([text]) for text in texts]))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_have_a_finite_posterior(fitted: StaticClassifier, text: str) -> None:
    """Empty, a megabyte, surrogates, controls, other scripts and directions, emoji."""
    logits, evidence = fitted.read([text])
    assert np.isfinite(logits).all()
    assert np.isfinite(evidence).all()
    assert fitted.posterior([text]).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("text", ["How do I boil potatoes, potatoes and eggs?", "", "🦀"])
def test_explanation_adds_up_to_the_scores(fitted: StaticClassifier, text: str) -> None:
    """Examples, pieces and pairs."""
    parts = fitted.explain(text, fitted.classes_)
    total = np.sum([part.values for part in parts], axis=0)
    scores, _ = fitted._read(np.array(fitted.pieces.numbers(text), dtype=np.int64))
    np.testing.assert_allclose(total, scores, atol=1e-4)


def test_state_that_does_not_fit_is_refused(fitted: StaticClassifier, minilm: Embedder) -> None:
    """ValueError, as the protocol says: shapes, numbers, another embedder."""
    state = fitted.state()
    changes = {
        "near": state["near"][:, 1:],
        "centre": state["centre"] * np.float32("nan"),
        "owner": state["owner"] + 100,
        "first": state["first"][::-1],
        "second": state["second"][1:],
        "projection": state["projection"][1:],
    }
    for name, tensor in changes.items():
        with pytest.raises(ValueError, match="tensor"):
            StaticClassifier(minilm).restore(fitted.classes_, {**state, name: tensor})
    with pytest.raises(ValueError, match="tensor"):
        StaticClassifier(WordEmbedder()).restore(fitted.classes_, state)
    with pytest.raises(ValueError, match="missing"):
        StaticClassifier(minilm).restore(fitted.classes_, {"near": state["near"]})


def test_phrases_weigh_pieces_and_common_pairs() -> None:
    """A pair of one text alone is left out; a row has unit length; what is unknown has none."""
    phrases = Phrases(10)
    rows = phrases.fit_transform([np.array(numbers) for numbers in ([1, 2, 3], [1, 2, 4], [5, 5, 5])])
    state = phrases.state()
    known = set(zip(state["first"].astype(int).tolist(), state["second"].astype(int).tolist(), strict=True))
    assert known == {(1, -1), (2, -1), (3, -1), (4, -1), (5, -1), (1, 2)}
    np.testing.assert_allclose(np.sqrt((rows**2).sum(axis=1)), 1, rtol=1e-6)
    assert phrases.weights(np.array([9, 8]))[0].tolist() == []
    assert phrases.weights(np.array([], dtype=np.int64))[0].tolist() == []


@given(st.lists(st.integers(0, 6), max_size=12))
def test_shares_of_pieces_add_up_to_the_row(numbers: list[int]) -> None:
    """Also where a piece stands several times."""
    phrases = Phrases(7)
    phrases.fit_transform([np.array(known) for known in ([1, 2, 3, 4], [1, 2, 3, 1])])
    whole, added = np.zeros(len(phrases.keys_)), np.zeros(len(phrases.keys_))
    places, values = phrases.weights(np.array(numbers, dtype=np.int64))
    whole[places] = values
    for where, share in phrases.piece_shares(np.array(numbers, dtype=np.int64)):
        added[where] += share
    np.testing.assert_allclose(added, whole, atol=1e-6)


def test_words_are_pieces_by_hash() -> None:
    """Small letters, digits as one sign."""
    words = HashedWords()
    assert words.names("Add 17, please") == ["add", "00", "please"]
    assert words.numbers("ADD 42 PLEASE") == words.numbers("add 17 please")
