"""Texts as sparse counts of words and character n-grams, without a vocabulary: what is kept are hashes.

Weights are tf-idf with logarithmic counts (Manning, Raghavan and Schuetze 2008, section 6.4). A hash has 24 bits, so
that it is exact as a float32, and a trained router holds no text of its examples.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import block_diag, csr_array, hstack

from routers.calibrate import IntArray
from routers.classify.contribution import Part
from routers.embedding.protocol import FloatArray

__all__ = ["NGrams"]

BUCKETS = 2**24
MOST_CHARACTERS = 8192
"""Text beyond is not looked at: the embedder does not see it either, and a megabyte would take a second."""

DIGIT = re.compile(r"\d")
WORD = r"(?u)\b\w+\b"


class NGrams:
    """A vectorizer: words and pairs of words, and 3 to 6 characters within words, two blocks of unit length each.

    Digits count as one sign: 17 % of 4310 and 12 % of 900 are the same question. rare: character n-grams in fewer
    texts than that are left out.
    columns_: hashes seen in `fit`, ascending within words and then within characters, [v]. idf_: float32 [v].
    """

    columns_: npt.NDArray[np.int64]
    idf_: FloatArray
    words_: int

    def __init__(self, *, rare: int = 2) -> None:
        self._rare = rare

    def fit_transform(self, texts: Sequence[str]) -> csr_array:
        """Learn which hashes occur and how rare each is, and give what `transform` would of the same texts."""
        counted = self._counted(texts)
        kept, weights = [], []
        for counts, least in zip(counted, (1, self._rare), strict=True):
            columns, frequency = np.unique(counts.indices, return_counts=True)
            common = frequency >= least
            kept.append(columns[common].astype(np.int64))
            weights.append(np.log((1 + len(texts)) / (1 + frequency[common])) + 1)
        self.words_ = len(kept[0])
        self.columns_ = np.concatenate(kept)
        self.idf_ = np.concatenate(weights).astype(np.float32)
        return self._weighed(*counted)

    def fit(self, texts: Sequence[str]) -> Self:
        """As `fit_transform`, for the vectorizer alone."""
        self.fit_transform(texts)
        return self

    def transform(self, texts: Sequence[str]) -> csr_array:
        """float32 [n, v], each of the two blocks of a row of unit length or empty."""
        return self._weighed(*self._counted(texts))

    def _weighed(self, words: csr_array, characters: csr_array) -> csr_array:
        split = self.words_
        blocks = [
            _weighted(words, self.columns_[:split], self.idf_[:split]),
            _weighted(characters, self.columns_[split:], self.idf_[split:]),
        ]
        return csr_array(hstack(blocks, format="csr"))

    def pieces(self, text: str) -> tuple[list[tuple[Part, str]], csr_array]:
        """The words of a text by name, and what each holds of its row: float32 [pieces, v], adding up to `transform`.

        Words and pairs of words stand by themselves, character n-grams with the word in which they are. Names are as
        the text is read: small letters, and 0 for any digit.
        """
        words, characters = self._hashing
        shown = _shown(text)
        spelt = Counter(shown.split())
        said = Counter(words.build_analyzer()(shown))
        spelling = characters.build_analyzer()
        whole, split = self.transform([text]).toarray()[0], self.words_
        blocks = [
            _shared([[name] * count for name, count in said.items()], self.columns_[:split], whole[:split]),
            _shared([spelling(name) * count for name, count in spelt.items()], self.columns_[split:], whole[split:]),
        ]
        named: list[tuple[Part, str]] = [*(("word", name) for name in said), *(("letters", name) for name in spelt)]
        return named, csr_array(block_diag(blocks, format="csr"))

    def state(self) -> Mapping[str, FloatArray]:
        """As float32 tensors: `columns` [v] (exact, they are below 2**24), `idf` [v], `words` [1]."""
        return {
            "columns": self.columns_.astype(np.float32),
            "idf": self.idf_,
            "words": np.array([self.words_], dtype=np.float32),
        }

    def restore(self, state: Mapping[str, FloatArray]) -> Self:
        """Become what `state` describes; raises ValueError when shapes do not fit."""
        columns, idf, words = (state[name] for name in ("columns", "idf", "words"))
        if columns.ndim != 1 or columns.shape != idf.shape or words.shape != (1,) or not 0 <= words[0] <= len(columns):
            raise ValueError("n-gram tensors 'columns', 'idf' and 'words' do not fit each other")
        self.columns_, self.idf_, self.words_ = columns.astype(np.int64), idf, int(words[0])
        return self

    def _counted(self, texts: Sequence[str]) -> tuple[csr_array, csr_array]:
        shown = [_shown(text) for text in texts]
        words, characters = self._hashing
        return words.transform(shown), characters.transform(shown)

    @cached_property
    def _hashing(self) -> tuple[Any, Any]:
        from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415 - a second that only use should pay

        common = {"n_features": BUCKETS, "alternate_sign": False, "norm": None, "dtype": np.float32, "lowercase": False}
        return (
            HashingVectorizer(ngram_range=(1, 2), token_pattern=WORD, **common),
            HashingVectorizer(analyzer="char_wb", ngram_range=(3, 6), **common),
        )


def _shown(text: str) -> str:
    """As n-grams are taken from it; lone surrogates are no characters, and the library refuses them."""
    said = text[:MOST_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
    return DIGIT.sub("0", said.lower())


def _shared(held: Sequence[Sequence[str]], columns: npt.NDArray[np.int64], whole: FloatArray) -> csr_array:
    """The weights `whole` [v] of a text's n-grams, split between the pieces that hold them: float32 [pieces, v].

    held: the n-grams of each piece, as often as the text has them. One that several pieces hold is split by how often
    each does.
    """
    from sklearn.feature_extraction import FeatureHasher  # noqa: PLC0415 - as below

    if not held:
        return _rows(whole[:0], (np.arange(0), np.arange(0)), shape=(0, len(columns)))
    hasher = FeatureHasher(n_features=BUCKETS, input_type="string", alternate_sign=False, dtype=np.float32)
    counts = csr_array(hasher.transform(held))
    rows, place, known = _placed(counts, columns)
    often = counts.data[known]
    share = often / np.bincount(place, weights=often, minlength=len(columns))[place]
    return _rows((share * whole[place]).astype(np.float32), (rows, place), shape=(len(held), len(columns)))


def _placed(counts: csr_array, columns: npt.NDArray[np.int64]) -> tuple[IntArray, IntArray, npt.NDArray[np.bool_]]:
    """Row and place in `columns` of each count whose hash is known, and which those are."""
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    if not len(columns):
        return rows[:0], rows[:0], np.zeros(len(rows), dtype=np.bool_)
    place = np.minimum(np.searchsorted(columns, counts.indices), len(columns) - 1)
    known = columns[place] == counts.indices
    return rows[known], place[known], known


def _weighted(counts: csr_array, columns: npt.NDArray[np.int64], idf: FloatArray) -> csr_array:
    """The known columns of `counts`, as (1 + log count) idf, rows scaled to unit length."""
    rows, place, known = _placed(counts, columns)
    values = (1 + np.log(counts.data[known])) * idf[place]
    length = np.sqrt(np.bincount(rows, weights=values**2, minlength=counts.shape[0]))
    values = (values / length[rows]).astype(np.float32)
    return _rows(values, (rows, place), shape=(counts.shape[0], len(columns)))


def _rows(values: FloatArray, where: tuple[IntArray, IntArray], *, shape: tuple[int, int]) -> csr_array:
    rows: csr_array = csr_array((values, where), shape=shape)
    return rows
