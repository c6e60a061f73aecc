"""How alike texts are: by meaning (an embedder's cosine) and by words (TF-IDF). Knows no tools.

Both are cosines, 0 to 1 but for rare negative ones of the embedder, so their sum has a scale of its own that is the
same for every query: what a threshold needs, and what ranks or scores normalised within a query do not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from routers.embedding.protocol import Embedder, FloatArray

__all__ = ["Likeness", "Texts"]


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Texts, ready to be compared: a dense matrix (None without an embedder) and sparse ones of words and pieces."""

    dense: FloatArray | None
    words: Any
    pieces: Any

    def __len__(self) -> int:
        return int(self.words.shape[0])

    def rows(self, chosen: Any) -> Texts:
        """Those at some positions, or of a slice."""
        dense = None if self.dense is None else self.dense[chosen]
        return Texts(dense, self.words[chosen], self.pieces[chosen])


class Likeness:
    """Compares texts with each other; the weights of words are learned from `texts`.

    embedder: None to go by words alone.
    """

    def __init__(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - a second that only users pay

        self._embedder = embedder
        # Names are often one word of several ("timeport"): pieces of words find what whole words miss.
        self._words = TfidfVectorizer(sublinear_tf=True, stop_words="english")
        self._pieces = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(3, 5))
        for vectorizer in (self._words, self._pieces):
            _fit(vectorizer, texts)

    def read(self, texts: Sequence[str]) -> Texts:
        """The texts, ready to be compared."""
        dense = None if self._embedder is None else self._embedder.embed(texts)
        return Texts(dense, self._words.transform(texts), self._pieces.transform(texts))

    def between(self, queries: Texts, others: Texts, *, sparse: float) -> FloatArray:
        """float32 [n, m]: the cosine by meaning, plus `sparse` times the mean cosine by words and by pieces.

        Without an embedder it is that mean, whatever `sparse` is.
        """
        both = queries.words @ others.words.T + queries.pieces @ others.pieces.T
        by_word: FloatArray = both.toarray().astype(np.float32) / 2
        if queries.dense is None or others.dense is None:
            return by_word
        alike: FloatArray = queries.dense @ others.dense.T + np.float32(sparse) * by_word
        return alike


def _fit(vectorizer: Any, texts: Sequence[str]) -> None:
    try:
        vectorizer.fit(texts)
    except ValueError:  # no text has a word that counts: then nothing is alike by words
        vectorizer.fit(["placeholder"])
