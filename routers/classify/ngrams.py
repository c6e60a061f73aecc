"""Texts as sparse weights of words and character n-grams, without a vocabulary: what is kept are hashes.

Weights are tf-idf with logarithmic counts (Manning, Raghavan and Schuetze 2008, section 6.4). A trained router holds no
text of its examples.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from routers.calibrate import IntArray
from routers.classify.contribution import Part
from routers.classify.hashes import Hashes, letters_of, said_in, shown, spelt_in, words_of
from routers.embedding.protocol import FloatArray

__all__ = ["NGrams"]

LETTERS = 2**24
"""Added to the hashes of character n-grams, so that one ascending row of numbers holds both blocks."""

Counted = tuple[Hashes, IntArray]
"""Hashes of a text, ascending, words first, and how often each stands there."""


class NGrams:
    """A vectorizer: words and pairs of words, and 3 to 6 characters within words, two blocks of unit length each.

    rare: character n-grams in fewer texts than that are left out.
    columns_: hashes seen in `fit`, ascending within words and then within characters, [v]. idf_: float32 [v].
    """

    columns_: Hashes
    idf_: FloatArray
    words_: int

    def __init__(self, *, rare: int = 2) -> None:
        self._rare = rare

    def fit_transform(self, texts: Sequence[str]) -> csr_array:
        """Learn which hashes occur and how rare each is, and give what `transform` would of the same texts."""
        counted = [_counted(text) for text in texts]
        every = np.concatenate([np.zeros(0, np.int64), *(hashes for hashes, _ in counted)])
        keys, frequency = np.unique(every, return_counts=True)
        common = (keys < LETTERS) | (frequency >= self._rare)
        self._keep(keys[common])
        self.idf_ = (np.log((1 + len(texts)) / (1 + frequency[common])) + 1).astype(np.float32)
        return self._rows([self._weighed(*one) for one in counted])

    def _keep(self, keys: Hashes) -> None:
        self._keys = keys
        self.words_ = int(np.searchsorted(keys, LETTERS))
        self.columns_ = np.where(keys < LETTERS, keys, keys - LETTERS)

    def fit(self, texts: Sequence[str]) -> Self:
        """As `fit_transform`, for the vectorizer alone."""
        self.fit_transform(texts)
        return self

    def transform(self, texts: Sequence[str]) -> csr_array:
        """float32 [n, v], each of the two blocks of a row of unit length or empty."""
        return self._rows([self.weights(text) for text in texts])

    def weights(self, text: str) -> tuple[IntArray, FloatArray]:
        """The row of one text: places in `columns_`, ascending, and their weights."""
        return self._weighed(*_counted(text))

    def times(self, texts: Sequence[str], matrix: FloatArray) -> FloatArray:
        """`transform(texts) @ matrix`, [n, k]; for a single text without what a sparse matrix costs to set up."""
        if len(texts) == 1:
            places, values = self.weights(texts[0])
            row: FloatArray = (values @ matrix[places])[None, :]
            return row
        product: FloatArray = self.transform(texts) @ matrix
        return product

    def _weighed(self, hashes: Hashes, counts: IntArray) -> tuple[IntArray, FloatArray]:
        """Places of the known hashes, and (1 + log count) idf, each block scaled to unit length."""
        places, known = _placed(hashes, self._keys)
        values = np.log(counts[known])
        values += 1
        values *= self.idf_[places]
        split = int(np.searchsorted(places, self.words_))
        for block in (values[:split], values[split:]):
            if length := math.sqrt(block @ block):
                np.divide(block, length, out=block)
        return places, values.astype(np.float32)

    def _rows(self, rows: Sequence[tuple[IntArray, FloatArray]]) -> csr_array:
        ends = np.cumsum([0, *(len(places) for places, _ in rows)])
        places = np.concatenate([np.zeros(0, np.intp), *(places for places, _ in rows)])
        values = np.concatenate([np.zeros(0, np.float32), *(values for _, values in rows)])
        matrix: csr_array = csr_array((values, places, ends), shape=(len(rows), len(self.columns_)))
        return matrix

    def pieces(self, text: str) -> tuple[list[tuple[Part, str]], csr_array]:
        """The words of a text by name, and what each holds of its row: float32 [pieces, v], adding up to `transform`.

        Words and pairs of words stand by themselves, character n-grams with the word in which they are. Names are as
        the text is read: small letters, and 0 for any digit.
        """
        said, spelt = Counter(said_in(shown(text))), Counter(spelt_in(shown(text)))
        whole = self.transform([text]).toarray()[0]
        rows = [
            *self._shared(said, words_of, whole, first=0),
            *self._shared(spelt, letters_of, whole, first=self.words_),
        ]
        named: list[tuple[Part, str]] = [*(("word", name) for name in said), *(("letters", name) for name in spelt)]
        return named, self._rows(rows)

    def _shared(
        self, names: Mapping[str, int], hashed: Callable[[Sequence[str]], Hashes], whole: FloatArray, *, first: int
    ) -> list[tuple[IntArray, FloatArray]]:
        """The weights `whole` [v] of a text's n-grams, split between the named pieces that hold them, a row each.

        names: how often the text has each. An n-gram that several hold is split by how often each does.
        """
        offset = LETTERS if first else 0
        held = []
        for name, count in names.items():
            hashes, often = np.unique(hashed([name]) + offset, return_counts=True)
            places, known = _placed(hashes, self._keys)
            held.append((places, count * often[known]))
        of_all = np.zeros(len(whole))
        for places, often in held:
            of_all[places] += often
        return [(places, (often / of_all[places] * whole[places]).astype(np.float32)) for places, often in held]

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
        keys = columns.astype(np.int64)
        keys[int(words[0]) :] += LETTERS
        if (np.diff(keys) <= 0).any():
            raise ValueError("the tensor 'columns' does not rise within each block")
        self._keep(keys)
        self.idf_ = idf
        return self


def _counted(text: str) -> Counted:
    """The words and the letters of a text."""
    readable = shown(text)
    hashes = np.concatenate([words_of(said_in(readable)), letters_of(spelt_in(readable)) + LETTERS])
    hashes.sort()
    first = np.flatnonzero(np.diff(hashes, prepend=-1))
    return hashes[first], np.diff(first, append=len(hashes))


def _placed(hashes: Hashes, columns: Hashes) -> tuple[IntArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The places in `columns` of those hashes that are known, and which these are."""
    if not len(columns):
        return np.zeros(0, dtype=np.intp), np.zeros(len(hashes), dtype=np.bool_)
    places = np.minimum(np.searchsorted(columns, hashes), len(columns) - 1)
    known = columns[places] == hashes
    return places[known], known
