"""Pilots as a classifier: a query belongs to the category whose centroids it is most like. Knows no experts.

RouterRetriever (arXiv 2409.02685, algorithm 1) with every category as the source and the winner of its own examples;
grouping, k-means and the rules are those of `routers.pilots`.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field

from routers.calibrate import softmax
from routers.classify.protocol import State
from routers.embedding.layered import layered
from routers.embedding.protocol import Embedder, FloatArray
from routers.pilots import Pilot, PilotLibrary, Rule, Similarity, learn_pilots

__all__ = ["PilotClassifier"]

UNLIKE = -1.0
"""The similarity to a category without pilots: the least that there is."""


class PilotClassifier:
    """A `CategoryClassifier` that remembers a few centroids a category, however many examples there were.

    k: centroids a category, by k-means. smallest: a category of fewer examples leaves none and is never likely.
    rule: how similarities to several centroids become one, as of `routers.pilots.Rule`. similarity: to a centroid; the
    paper's is the dot product, with which categories whose examples differ are less likely, which suits retrieval more
    than categories. scale: what similarities, -1 to 1, are multiplied by to be logits.
    """

    classes_: tuple[str, ...]
    library_: PilotLibrary

    def __init__(
        self,
        embedder: Embedder,
        *,
        k: Annotated[int, Field(ge=1)] = 1,
        smallest: Annotated[int, Field(ge=1)] = 1,
        rule: Rule = "mean",
        similarity: Similarity = "cosine",
        scale: Annotated[float, Field(gt=0)] = 20.0,
    ) -> None:
        self._embedder = embedder
        self._k, self._smallest = k, smallest
        self._rule, self._similarity, self._scale = rule, similarity, scale

    @staticmethod
    def sees(embedder: Embedder, _parameters: Mapping[str, Any]) -> Embedder:
        """What of an embedder this kind wants to see: all its layers."""
        return layered(embedder)

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Find the centroids; raises TrainingError when every category is smaller than `smallest`."""
        self.classes_ = tuple(sorted(set(labels)))
        won = np.array([[label == name for name in self.classes_] for label in labels], dtype=np.float64)
        pilots = learn_pilots(
            self._embedder.embed(texts),
            won,
            experts=self.classes_,
            sources=labels,
            k=self._k,
            smallest=self._smallest,
        )
        return self._with(pilots)

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], uncalibrated."""
        logits = np.full((len(texts), len(self.classes_)), self._scale * UNLIKE, dtype=np.float32)
        logits[:, self._places] = self._scale * self.library_.source_scores(self._embedder.embed(texts))
        return logits

    def posterior(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], rows sum to 1, uncalibrated."""
        return softmax(self.logits(texts)).astype(np.float32)

    def state(self) -> State:
        """`centroids` [n, dim], `columns` [n]: the category of each, `counts` [n]: its examples, `categories` [1]."""
        pilots = self.library_.pilots
        column = {name: number for number, name in enumerate(self.classes_)}
        return {
            "centroids": np.stack([pilot.centroid for pilot in pilots]).astype(np.float32),
            "columns": np.array([column[pilot.source] for pilot in pilots], dtype=np.float32),
            "counts": np.array([pilot.count for pilot in pilots], dtype=np.float32),
            "categories": np.array([len(self.classes_)], dtype=np.float32),
        }

    def parameters(self) -> Mapping[str, Any]:
        """The keyword arguments of the constructor."""
        return {
            "k": self._k,
            "smallest": self._smallest,
            "rule": self._rule,
            "similarity": self._similarity,
            "scale": self._scale,
        }

    def restore(self, classes: Sequence[str], state: State) -> Self:
        """Become what `state` describes; raises ValueError when it does not fit the classes or the embedder."""
        if set(state) != {"centroids", "columns", "counts", "categories"}:
            raise ValueError(f"tensors missing or unknown: found {', '.join(map(repr, sorted(state)))}")
        if not all(np.isfinite(tensor).all() for tensor in state.values()):
            raise ValueError("a tensor holds a number that is not finite")
        centroids, columns, counts = state["centroids"], state["columns"], state["counts"]
        if (centroids.shape, columns.shape) != ((len(counts), self._embedder.dim), counts.shape):
            raise ValueError(
                f"tensors 'centroids' {centroids.shape}, 'columns' {columns.shape} and 'counts' {counts.shape} do not "
                f"fit each other and vectors of {self._embedder.dim} numbers"
            )
        fits = np.array_equal(state["categories"], [len(classes)]) and np.isin(columns, np.arange(len(classes))).all()
        if not fits:
            raise ValueError(f"tensors 'categories' and 'columns' do not fit {len(classes)} categories")
        self.classes_ = tuple(classes)
        rows = zip(columns.astype(int), centroids, counts.astype(int), strict=True)
        return self._with(
            tuple(Pilot(classes[column], classes[column], row, int(count)) for column, row, count in rows)
        )

    def _with(self, pilots: tuple[Pilot, ...]) -> Self:
        self.library_ = PilotLibrary(pilots=pilots, rule=self._rule, similarity=self._similarity)
        self._places = [self.classes_.index(source) for source in self.library_.sources]
        return self
