"""Two tiers: a static one answers what it is sure of, and only the rest is embedded and asked of another kind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from routers.calibrate import IntArray, Probabilities, softmax
from routers.classify.contribution import Contribution
from routers.classify.inner import Outer
from routers.classify.kinds import classifier_kind
from routers.classify.parameters import check_parameters
from routers.classify.protocol import CategoryClassifier, CrossFitted, Evident, Explained, State, stated_by
from routers.classify.ridge import SEED
from routers.classify.static import StaticClassifier
from routers.classify.tiers import Reading, Tiers
from routers.embedding.protocol import Embedder, FloatArray

__all__ = ["CascadeClassifier"]

INNER = "kernel"

FOLDS = 5
"""Of the cross-fit on which the tiers are set where nobody gives folds."""

NEVER = -100.0
"""The logit of a category that a fold's classifier has never met."""


class CascadeClassifier(Outer):
    """A `CategoryClassifier` that asks its inner kind only what its static tier leaves open.

    inner, inner_parameters: the kind that is asked, `static_parameters`: of `StaticClassifier`, which asks it.
    loss: accuracy that may be lost by not always asking, as a 90 % bound on held-out folds; with fewer than some 430
    examples no loss can be ruled out and the inner kind is asked always.
    strange: share of the queries that the static tier gets right which are still passed on as unfamiliar, so that
    queries out of scope reach the inner kind, whose evidence tells them better.

    inner: the classifier of that kind. answered_fast_: share of held-out queries that the static tier answered.
    """

    default_inner = INNER

    classes_: tuple[str, ...]
    answered_fast_: float
    tiers_: Tiers
    signals: tuple[str, ...]
    unit: Literal["logit", "score"]

    def __init__(
        self,
        embedder: Embedder,
        *,
        inner: str = INNER,
        inner_parameters: Mapping[str, Any] | None = None,
        static_parameters: Mapping[str, Any] | None = None,
        loss: Annotated[float, Field(ge=0, lt=1)] = 0.003,
        strange: Annotated[float, Field(ge=0, lt=1)] = 0.1,
    ) -> None:
        self._kind, self._parameters = inner, dict(inner_parameters or {})
        check_parameters(inner, self._parameters)
        self._new: Callable[[], CategoryClassifier] = lambda: classifier_kind(inner)(embedder, **self._parameters)
        self.inner = self._new()
        self._static = StaticClassifier(embedder, **(static_parameters or {}))
        self._loss, self._strange = loss, strange
        evident = self.inner if isinstance(self.inner, Evident) else None
        self._ask: Callable[[Sequence[str]], Reading] = evident.read if evident else self._ask_for_logits
        self.signals = evident.signals if evident else ("confidence",)
        if isinstance(self.inner, Explained) and self.inner.unit == self._static.unit:
            self.unit = self.inner.unit  # without it the whole is not `Explained`: parts would not add up

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Both tiers learn, and by folds when the first may answer."""
        self.cross_read(texts, labels, _folds(labels))
        return self

    def cross_read(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> tuple[FloatArray, FloatArray]:
        """Fit, and give each text's logits and evidence without its fold: of tiers set on the other folds too."""
        self.classes_ = tuple(sorted(set(labels)))
        column = {label: number for number, label in enumerate(self.classes_)}
        truth = np.array([column[label] for label in labels], dtype=np.intp)
        fast, inner = self._static.cross_read(texts, labels, fold), self._held_out(texts, labels, fold)
        self.tiers_ = self._set(fast, inner, truth).as_stored()
        logits, evidence = np.empty_like(fast[0]), np.empty_like(inner[1])
        open_ = np.isnan(self.stated(texts)[:, 0])
        answered = np.empty(len(texts), dtype=np.bool_)
        for number in np.unique(fold):
            here, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
            tiers = self._set(_rows(fast, others), _rows(inner, others), truth[others])
            answered[here] = tiers.answers(_rows(fast, here)) & open_[here]
            for rows, of_tier, said in (
                (here[answered[here]], tiers.of_fast, fast),
                (here[~answered[here]], tiers.of_inner, inner),
            ):
                logits[rows], evidence[rows] = of_tier(_rows(said, rows))
        self.answered_fast_ = float(answered.mean())
        return logits, evidence

    def read(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Logits float32 [n, n_categories], and evidence float32 [n, signals]; embeds what the first tier leaves."""
        fast = self._static.read(texts)
        answered = self._answered(texts, fast)
        if answered.all():
            return self.tiers_.of_fast(fast)
        rest = np.flatnonzero(~answered).tolist()
        asked = self.tiers_.of_inner(self._ask([texts[row] for row in rest]))
        if len(rest) == len(texts):
            return asked
        logits, evidence = self.tiers_.of_fast(fast)
        logits[rest], evidence[rest] = asked
        return logits, evidence

    def answered_fast(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which texts the static tier answers, [n]; embeds nothing."""
        return self._answered(texts, self._static.read(texts))

    def stated(self, texts: Sequence[str]) -> Probabilities:
        """float64 [n, n_categories]: what the inner kind was told, rows of NaN where it was not."""
        told = stated_by(self.inner, texts)
        return np.full((len(texts), len(self.classes_)), np.nan) if told is None else told

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], each tier's calibrated by itself."""
        return self.read(texts)[0]

    def posterior(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], rows sum to 1."""
        return softmax(self.logits(texts)).astype(np.float32)

    def explain(self, text: str, categories: Sequence[str]) -> Sequence[Contribution]:
        """What the tier that answers went by."""
        explained = self._static if self.answered_fast([text])[0] else self.inner
        assert isinstance(explained, Explained)  # noqa: S101 - else there is no unit, and nobody asks
        return explained.explain(text, categories)

    def state(self) -> State:
        """Tensors of the two tiers and of what is between them, each after its `inner.`, `static.` or `tiers.`."""
        parts = {"inner": self.inner.state(), "static": self._static.state(), "tiers": self.tiers_.state()}
        return {f"{part}.{name}": tensor for part, state in parts.items() for name, tensor in state.items()}

    def parameters(self) -> Mapping[str, Any]:
        """The keyword arguments of the constructor, those of both tiers in full."""
        return {
            "inner": self._kind,
            "inner_parameters": dict(self.inner.parameters()),
            "static_parameters": dict(self._static.parameters()),
            "loss": self._loss,
            "strange": self._strange,
        }

    def restore(self, classes: Sequence[str], state: State) -> Self:
        """Become what `state` describes; raises ValueError when it does not fit the classes or the embedder."""
        parts: dict[str, dict[str, FloatArray]] = {"inner": {}, "static": {}, "tiers": {}}
        for name, tensor in state.items():
            part, _, rest = name.partition(".")
            if part not in parts:
                raise ValueError(f"tensor {name!r} is of none of {', '.join(parts)}")
            parts[part][rest] = tensor
        self.inner.restore(classes, parts["inner"])
        self._static.restore(classes, parts["static"])
        self.tiers_ = Tiers.restored(parts["tiers"], names=self._static.signals, signals=len(self.signals))
        self.classes_ = tuple(classes)
        return self

    def _set(self, fast: Reading, inner: Reading, truth: IntArray) -> Tiers:
        return Tiers.learned(fast, inner, truth, names=self._static.signals, loss=self._loss, strange=self._strange)

    def _answered(self, texts: Sequence[str], fast: Reading) -> npt.NDArray[np.bool_]:
        """What the inner kind was told stays with it."""
        return self.tiers_.answers(fast) & np.isnan(self.stated(texts)[:, 0])

    def _ask_for_logits(self, texts: Sequence[str]) -> Reading:
        return _with_confidence(self.inner.logits(texts))

    def _held_out(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> Reading:
        """The inner kind's, by itself where it can do better than to be fitted once a fold; fitted at the end."""
        if isinstance(self.inner, Evident):
            return self.inner.cross_read(texts, labels, fold)
        if isinstance(self.inner, CrossFitted):
            return _with_confidence(self.inner.cross_fitted(texts, labels, fold))
        logits = np.full((len(texts), len(self.classes_)), NEVER, dtype=np.float32)
        for number in np.unique(fold):
            others, held = np.flatnonzero(fold != number).tolist(), np.flatnonzero(fold == number)
            part = self._new().fit([texts[row] for row in others], [labels[row] for row in others])
            columns = np.array([self.classes_.index(name) for name in part.classes_])
            logits[np.ix_(held, columns)] = part.logits([texts[row] for row in held.tolist()])
        self.inner.fit(texts, labels)
        return _with_confidence(logits)


def _with_confidence(logits: FloatArray) -> Reading:
    """Logits, and the largest probability, uncalibrated, as the one signal of a kind that shows none."""
    return logits, softmax(logits).max(axis=1, keepdims=True).astype(np.float32)


def _rows(reading: Reading, rows: IntArray) -> Reading:
    return reading[0][rows], reading[1][rows]


def _folds(labels: Sequence[str]) -> IntArray:
    """A fold for each label, drawn by category, so that each fold has its share of every category."""
    fold = np.empty(len(labels), dtype=np.intp)
    names = np.asarray(labels)
    shuffled = np.random.default_rng(SEED).permutation(len(labels))
    for start, name in enumerate(np.unique(names)):
        here = shuffled[names[shuffled] == name]
        fold[here] = (np.arange(len(here)) + start) % min(FOLDS, len(labels))
    return fold
