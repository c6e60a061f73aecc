"""Texts as sparse weights of their pieces and pairs of neighbouring pieces, by number. Knows no tokenizer.

What a text has often weighs no more than what it has once: held-out accuracy is the same, and a decision cheaper.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from routers.calibrate import IntArray
from routers.classify.hashes import said_words, shown, words_of
from routers.embedding.protocol import FloatArray

__all__ = ["HashedWords", "Phrases"]

Keys = npt.NDArray[np.int64]

RARE = 2
"""Pairs in fewer texts are left out: they are most of all pairs, and held-out accuracy is better without."""

MOST_WORDS = 256


class HashedWords:
    """The words of a text as its pieces, by hash, for embedders that do not say what theirs are."""

    size = 2**24

    def numbers(self, text: str) -> Sequence[int]:
        """One a word."""
        numbers: list[int] = words_of(self.names(text)).tolist()
        return numbers

    def names(self, text: str) -> Sequence[str]:
        """In small letters, and 0 for any digit."""
        return said_words(shown(text))[:MOST_WORDS]

    def vectors(self) -> FloatArray:
        """Nothing is known of a hash."""
        return np.zeros((0, 0), dtype=np.float32)


class Phrases:
    """A vectorizer. size: numbers of pieces are below it.

    keys_: pieces and pairs seen in `fit`, ascending [v]; a piece a has the key a (size + 1), a pair a, b one more than
    that plus b. idf_: float32 [v].
    """

    keys_: Keys
    idf_: FloatArray

    def __init__(self, size: int) -> None:
        self._step = size + 1

    def fit_transform(self, texts: Sequence[Keys]) -> csr_array:
        """Learn which keys occur and how rare each is, and give their weights. texts: the numbers of each."""
        every = np.concatenate([np.zeros(0, np.int64), *(np.unique(self._all(numbers)) for numbers in texts)])
        keys, frequency = np.unique(every, return_counts=True)
        kept = (frequency >= RARE) | (keys % self._step == 0)
        self.idf_ = (np.log((1 + len(texts)) / (1 + frequency[kept])) + 1).astype(np.float32)
        self._know(keys[kept])
        return self._rows([self.weights(numbers) for numbers in texts])

    def weights(self, numbers: Keys) -> tuple[IntArray, FloatArray]:
        """The row of one text: places in `keys_`, ascending, and their weights, of unit length or none."""
        keys = self._all(numbers)
        keys.sort()
        places = self.keys_.searchsorted(keys)
        known = self._ended[places] == keys
        known[1:] &= keys[1:] != keys[:-1]
        places = places[known]
        values = self.idf_[places]
        if len(values):
            values /= np.float32(math.sqrt(values @ values))
        return places, values

    def piece_shares(self, numbers: Keys) -> list[tuple[IntArray, FloatArray]]:
        """What each piece of a text, and after these each pair, holds of its row: they add up to `weights`."""
        places, values = self.weights(numbers)
        keys = self._all(numbers)
        if not len(places):
            return [(places, values)] * len(keys)
        at = np.minimum(np.searchsorted(self.keys_[places], keys), len(places) - 1)
        known = self.keys_[places][at] == keys
        share = values[at] / np.maximum(np.bincount(at, known, len(places))[at], 1)
        return [
            (places[at[row : row + 1]], (share[row : row + 1] * known[row]).astype(np.float32))
            for row in range(len(keys))
        ]

    def state(self) -> Mapping[str, FloatArray]:
        """As float32: `first` and `second` [v] (exact; second is -1 for a single piece), `idf` [v]."""
        first, second = np.divmod(self.keys_, self._step)
        return {"first": first.astype(np.float32), "second": (second - 1).astype(np.float32), "idf": self.idf_}

    def restore(self, state: Mapping[str, FloatArray]) -> Self:
        """Become what `state` describes; raises ValueError when it does not fit itself or the size."""
        first, second, idf = (state[name] for name in ("first", "second", "idf"))
        if first.ndim != 1 or first.shape != second.shape or first.shape != idf.shape:
            raise ValueError("tensors 'first', 'second' and 'idf' do not fit each other")
        keys = first.astype(np.int64) * self._step + second.astype(np.int64) + 1
        most = self._step - 1
        inside = (first >= 0) & (first < most) & (second >= -1) & (second < most)
        if not inside.all() or (np.diff(keys) <= 0).any():
            raise ValueError(f"tensors 'first' and 'second' are no ascending pieces and pairs below {most}")
        self.idf_ = idf
        self._know(keys)
        return self

    def _all(self, numbers: Keys) -> Keys:
        single = numbers * self._step
        return np.concatenate([single, single[:-1] + numbers[1:] + 1])

    def _know(self, keys: Keys) -> None:
        self.keys_ = keys
        self._ended = np.append(keys, -1)  # what lies beyond the last key equals none

    def _rows(self, rows: Sequence[tuple[IntArray, FloatArray]]) -> csr_array:
        ends = np.cumsum([0, *(len(places) for places, _ in rows)])
        places = np.concatenate([np.zeros(0, np.intp), *(places for places, _ in rows)])
        values = np.concatenate([np.zeros(0, np.float32), *(values for _, values in rows)])
        matrix: csr_array = csr_array((values, places, ends), shape=(len(rows), len(self.keys_)))
        return matrix
