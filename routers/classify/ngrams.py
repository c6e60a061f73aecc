"""Texts as sparse weights of words and character n-grams, without a vocabulary: what is kept are hashes.

Weights are tf-idf with logarithmic counts (Manning, Raghavan and Schuetze 2008, section 6.4). A trained router holds no
text of its examples.
"""

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

Counted = tuple[Hashes, IntArray]
"""Hashes of a text, ascending, and how often each stands there."""


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
        kept, weights = [], []
        for block, least in enumerate((1, self._rare)):
            every = [blocks[block][0] for blocks in counted]
            columns, frequency = np.unique(np.concatenate([np.zeros(0, np.int64), *every]), return_counts=True)
            common = frequency >= least
            kept.append(columns[common])
            weights.append(np.log((1 + len(texts)) / (1 + frequency[common])) + 1)
        self.words_ = len(kept[0])
        self.columns_ = np.concatenate(kept)
        self.idf_ = np.concatenate(weights).astype(np.float32)
        return self._rows([self._weighed(blocks) for blocks in counted])

    def fit(self, texts: Sequence[str]) -> Self:
        """As `fit_transform`, for the vectorizer alone."""
        self.fit_transform(texts)
        return self

    def transform(self, texts: Sequence[str]) -> csr_array:
        """float32 [n, v], each of the two blocks of a row of unit length or empty."""
        return self._rows([self.weights(text) for text in texts])

    def weights(self, text: str) -> tuple[IntArray, FloatArray]:
        """The row of one text: places in `columns_`, ascending within each block, and their weights."""
        return self._weighed(_counted(text))

    def times(self, texts: Sequence[str], matrix: FloatArray) -> FloatArray:
        """`transform(texts) @ matrix`, [n, k]; for a single text without what a sparse matrix costs to set up."""
        if len(texts) == 1:
            places, values = self.weights(texts[0])
            row: FloatArray = (values @ matrix[places])[None, :]
            return row
        product: FloatArray = self.transform(texts) @ matrix
        return product

    def _weighed(self, blocks: Sequence[Counted]) -> tuple[IntArray, FloatArray]:
        split = self.words_
        words = _weights(*blocks[0], columns=self.columns_[:split], idf=self.idf_[:split])
        letters = _weights(*blocks[1], columns=self.columns_[split:], idf=self.idf_[split:])
        return np.concatenate([words[0], letters[0] + split]), np.concatenate([words[1], letters[1]])

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
        columns = self.columns_[: self.words_] if first == 0 else self.columns_[first:]
        held = []
        for name, count in names.items():
            hashes, often = np.unique(hashed([name]), return_counts=True)
            places, known = _placed(hashes, columns)
            held.append((places + first, count * often[known]))
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
        self.columns_, self.idf_, self.words_ = columns.astype(np.int64), idf, int(words[0])
        return self


def _counted(text: str) -> tuple[Counted, Counted]:
    """The words and the letters of a text."""
    readable = shown(text)
    found = words_of(said_in(readable)), letters_of(spelt_in(readable))
    words, letters = (np.unique(hashes, return_counts=True) for hashes in found)
    return words, letters


def _placed(hashes: Hashes, columns: Hashes) -> tuple[IntArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The places in `columns` of those hashes that are known, and which these are."""
    if not len(columns):
        return np.zeros(0, dtype=np.intp), np.zeros(len(hashes), dtype=np.bool_)
    places = np.minimum(np.searchsorted(columns, hashes), len(columns) - 1)
    known = columns[places] == hashes
    return places[known], known


def _weights(hashes: Hashes, counts: IntArray, *, columns: Hashes, idf: FloatArray) -> tuple[IntArray, FloatArray]:
    """Places of the known hashes, and (1 + log count) idf scaled to unit length."""
    places, known = _placed(hashes, columns)
    values = (1 + np.log(counts[known])) * idf[places]
    length = np.sqrt(values @ values)
    return places, (values / length if length else values).astype(np.float32)
