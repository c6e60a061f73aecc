"""What example queries teach of tools: how alike a query is to those of each tool, and which tool it sounds like.

Knows texts as numbers and tools as columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from routers.calibrate import IntArray
from routers.embedding.protocol import FloatArray
from routers.tools.likeness import Likeness, Texts

__all__ = ["LEAST", "NOTHING", "NearestExamples", "ToolClassifier"]

LEAST = 5
"""Fewest examples of a tool that a classifier learns from; below, the nearest examples say all there is to know."""

C = 10.0
"""Inverse strength of the classifier's penalty."""

NOTHING = -1.0
"""The likeness to the examples of a tool that has none."""


class NearestExamples:
    """The likeness of a query to the nearest example of each tool.

    texts: all examples. query, tool: pairs [p] of an example (a row of `texts`) and the tool it is of.
    """

    def __init__(
        self, likeness: Likeness, texts: Texts, *, query: IntArray, tool: IntArray, tools: int, sparse: float
    ) -> None:
        order = np.argsort(tool, kind="stable")
        self._likeness, self._texts, self._tools, self._sparse = likeness, texts, tools, sparse
        self._query = query[order]
        self._columns, self._starts = np.unique(tool[order], return_index=True)

    @property
    def without(self) -> IntArray:
        """The tools that have no examples."""
        return np.setdiff1d(np.arange(self._tools), self._columns)

    def read(self, queries: Texts) -> FloatArray:
        """float32 [n, tools], -1 for a tool without examples."""
        return self._nearest(self._likeness.between(queries, self._texts, sparse=self._sparse))

    def read_each_without_itself(self, examples: IntArray) -> FloatArray:
        """The same for some of the examples, by their rows, as if they were none."""
        alike = self._likeness.between(self._texts.rows(examples), self._texts, sparse=self._sparse)
        alike[np.arange(len(examples)), examples] = NOTHING
        return self._nearest(alike)

    def _nearest(self, alike: FloatArray) -> FloatArray:
        found = np.full((len(alike), self._tools), NOTHING, dtype=np.float32)
        found[:, self._columns] = np.maximum.reduceat(alike[:, self._query], self._starts, axis=1)
        return found


class ToolClassifier:
    """Multinomial logistic regression from a query to its tool: by meaning, or by words without an embedder.

    Knows the tools that have at least `LEAST` examples; with fewer than two such tools it knows nothing. Tools are not
    weighed alike: one that is asked for more often is the better guess.
    """

    def __init__(self, texts: Texts, *, query: IntArray, tool: IntArray, tools: int) -> None:
        self._tools = tools
        counts = np.bincount(tool, minlength=tools)
        known = counts[tool] >= LEAST
        self._columns: IntArray = np.flatnonzero(counts >= LEAST)
        self._model: Any = None
        if len(self._columns) > 1:
            from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second that only learning pays

            model = LogisticRegression(C=C, max_iter=200)
            self._model = model.fit(_features(texts.rows(query[known])), tool[known])

    def read(self, queries: Texts) -> FloatArray:
        """float32 [n, tools], rows sum to 1; 0 for tools that it does not know."""
        found = np.zeros((len(queries), self._tools), dtype=np.float32)
        if self._model is not None:
            found[:, self._columns] = self._model.predict_proba(_features(queries))
        return found


def _features(texts: Texts) -> Any:
    return texts.words if texts.dense is None else texts.dense
