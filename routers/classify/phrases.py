"""Texts as sparse weights of their pieces and pairs of neighbouring pieces, by number. Knows no tokenizer.

Weights are tf-idf with logarithmic counts, as in `routers.classify.ngrams`.
"""

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
        counted = [_counted(self._all(numbers)) for numbers in texts]
        every = np.concatenate([np.zeros(0, np.int64), *(keys for keys, _ in counted)])
        keys, frequency = np.unique(every, return_counts=True)
        kept = (frequency >= RARE) | (keys % self._step == 0)
        self.keys_ = keys[kept]
        self.idf_ = (np.log((1 + len(texts)) / (1 + frequency[kept])) + 1).astype(np.float32)
        return self._rows([self._weighed(*one) for one in counted])

    def weights(self, numbers: Keys) -> tuple[IntArray, FloatArray]:
        """The row of one text: places in `keys_`, ascending, and their weights, of unit length or none."""
        return self._weighed(*_counted(self._all(numbers)))

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
        self.keys_, self.idf_ = keys, idf
        return self

    def _all(self, numbers: Keys) -> Keys:
        single = numbers * self._step
        return np.concatenate([single, single[:-1] + numbers[1:] + 1])

    def _weighed(self, keys: Keys, counts: IntArray) -> tuple[IntArray, FloatArray]:
        if not len(self.keys_):
            return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.float32)
        places = self.keys_.searchsorted(keys)
        places[places == len(self.keys_)] = 0
        known = (self.keys_[places] == keys).nonzero()[0]
        places = places[known]
        values = (1 + np.log(counts[known], dtype=np.float32)) * self.idf_[places]
        length = float(values @ values) ** 0.5
        return places, values / np.float32(length) if length else values

    def _rows(self, rows: Sequence[tuple[IntArray, FloatArray]]) -> csr_array:
        ends = np.cumsum([0, *(len(places) for places, _ in rows)])
        places = np.concatenate([np.zeros(0, np.intp), *(places for places, _ in rows)])
        values = np.concatenate([np.zeros(0, np.float32), *(values for _, values in rows)])
        matrix: csr_array = csr_array((values, places, ends), shape=(len(rows), len(self.keys_)))
        return matrix


def _counted(keys: Keys) -> tuple[Keys, IntArray]:
    """Each key once, ascending, and how often; as `np.unique` has it, at a fraction of what one call costs."""
    keys.sort()
    starts = np.empty(len(keys), dtype=np.bool_)
    starts[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=starts[1:])
    at = starts.nonzero()[0]
    counts = np.empty_like(at)
    np.subtract(at[1:], at[:-1], out=counts[:-1])
    counts[-1:] = len(keys) - at[-1:]
    return keys[at], counts
