"""Pilots as a classifier: a query belongs to the category whose centroids it is most like. Knows no experts.

RouterRetriever (arXiv 2409.02685, algorithm 1) with every category as the source and the winner of its own examples;
grouping, k-means and the rules are those of `routers.pilots`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from routers.calibrate import IntArray, softmax
from routers.classify.contribution import Contribution, whatever_the_text
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

    unit: Literal["logit", "score"] = "logit"

    signals = ("score", "nearness")
    """The largest probability, uncalibrated, and the cosine to the nearest centroid of all."""

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
        return self._learned(self._embedder.embed(texts), labels)

    def cross_read(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> tuple[FloatArray, FloatArray]:
        """Fit, and give each text's logits and evidence by the centroids of the other folds.

        Exactly what fits without the folds would give; a category of one fold alone has no centroids there.
        """
        self.classes_ = tuple(sorted(set(labels)))
        vectors = self._embedder.embed(texts)
        logits = np.empty((len(texts), len(self.classes_)), dtype=np.float32)
        evidence = np.empty((len(texts), len(self.signals)), dtype=np.float32)
        for number in np.unique(fold):
            others, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            self._learned(vectors[others], [labels[row] for row in others.tolist()])
            logits[held], evidence[held] = self._seen(vectors[held])
        self._learned(vectors, labels)
        return logits, evidence

    def read(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Logits float32 [n, n_categories], and evidence float32 [n, 2], see `signals`."""
        return self._seen(self._embedder.embed(texts))

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], uncalibrated."""
        return self.read(texts)[0]

    def explain(self, text: str, categories: Sequence[str]) -> tuple[Contribution, ...]:
        """What each centroid of these categories adds, and what a category without any has instead."""
        without = [0.0 if name in self.library_.sources else self._scale * UNLIKE for name in categories]
        added, alike = self.library_.source_parts(self._embedder.embed([text])[0])
        seen: Counter[str] = Counter()
        parts = [whatever_the_text(np.array(without))]
        for pilot, share, likeness in zip(self.library_.pilots, added, alike, strict=True):
            seen[pilot.source] += 1
            name = f"pilot {seen[pilot.source]} of {pilot.source}, {pilot.count} examples, likeness {likeness:.2f}"
            values = [float(self._scale * share) if pilot.source == category else 0.0 for category in categories]
            parts += [Contribution("pilot", name, tuple(values))] if any(values) else []
        return tuple(parts)

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

    def _learned(self, vectors: FloatArray, labels: Sequence[str]) -> Self:
        """Find the centroids of these examples among the classes that are known."""
        won = np.array([[label == name for name in self.classes_] for label in labels], dtype=np.float64)
        pilots = learn_pilots(vectors, won, experts=self.classes_, sources=labels, k=self._k, smallest=self._smallest)
        return self._with(pilots)

    def _seen(self, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Logits and evidence of queries [n, dim]."""
        logits = np.full((len(vectors), len(self.classes_)), self._scale * UNLIKE, dtype=np.float32)
        logits[:, self._places] = self._scale * self.library_.source_scores(vectors)
        return logits, np.stack([softmax(logits).max(axis=1), self.library_.likeness(vectors)], axis=1).astype(
            np.float32
        )

    def _with(self, pilots: tuple[Pilot, ...]) -> Self:
        self.library_ = PilotLibrary(pilots=pilots, rule=self._rule, similarity=self._similarity)
        self._places = [self.classes_.index(source) for source in self.library_.sources]
        return self
