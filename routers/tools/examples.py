"""What example queries teach of tools: how alike a query is to those of each tool, and which tool it sounds like.

Knows texts as numbers and tools as columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from routers.calibrate import IntArray, softmax
from routers.embedding.protocol import FloatArray
from routers.tools.likeness import Likeness, Texts

__all__ = ["LEAST", "NOTHING", "NearestExamples", "ToolClassifier"]

LEAST = 5
"""Fewest examples of a tool that a classifier learns from; below, the nearest examples say all there is to know."""

SHARPNESS = 5.0
"""Turns margins, which are 1 or -1 at the border of what was learned, into logits."""

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
    """From a query to its tool: logistic regression by meaning or, without an embedder, a linear machine by words.

    Knows the tools that have at least `LEAST` examples; with fewer than two such tools it knows nothing. Tools are not
    weighed alike: one that is asked for more often is the better guess.

    coef_: float32 [known tools, features], intercept_: float32 [known tools].
    """

    coef_: FloatArray
    intercept_: FloatArray

    def __init__(self, texts: Texts, *, query: IntArray, tool: IntArray, tools: int) -> None:
        self._tools = tools
        counts = np.bincount(tool, minlength=tools)
        self._columns: IntArray = np.flatnonzero(counts >= LEAST)
        if len(self._columns) > 1:
            known = counts[tool] >= LEAST
            self._fit(texts.rows(query[known]), tool[known])

    def read(self, queries: Texts) -> FloatArray:
        """float32 [n, tools], rows sum to 1; 0 for tools that it does not know."""
        found = np.zeros((len(queries), self._tools), dtype=np.float32)
        if len(self._columns) > 1:
            found[:, self._columns] = softmax(_features(queries) @ self.coef_.T + self.intercept_)
        return found

    def _fit(self, texts: Texts, tool: IntArray) -> None:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second that only learning pays
        from sklearn.svm import LinearSVC  # noqa: PLC0415 - as above

        # Over thousands of words the machine is ten times faster and better, but its margins are no logits.
        by_words = texts.dense is None
        model: Any = LinearSVC(C=0.5, random_state=0) if by_words else LogisticRegression(C=10.0, max_iter=200)
        model.fit(_features(texts), tool)
        coef, intercept = model.coef_, model.intercept_
        if len(self._columns) == 2:  # noqa: PLR2004 - one row there stands for two: softmax(-z/2, z/2) = sigmoid(z)
            coef, intercept = np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
        sharpness = SHARPNESS if by_words else 1.0
        self.coef_ = np.ascontiguousarray(coef * sharpness, dtype=np.float32)
        self.intercept_ = np.ascontiguousarray(intercept * sharpness, dtype=np.float32)


def _features(texts: Texts) -> Any:
    return texts.words if texts.dense is None else texts.dense
