"""Rules for certainties: keywords and patterns that settle a category, and another kind of classifier for the rest.

A query that the rules of exactly one category match is that category's; where none match, or those of several, the
inner kind says what it says. Rules are written by people and stand in the parameters; only the inner kind learns.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field

from routers.calibrate import IntArray, softmax
from routers.classify.kinds import classifier_kind, seen_by
from routers.classify.parameters import check_parameters
from routers.classify.patterns import Expression, expression, keywords
from routers.classify.protocol import CategoryClassifier, CrossFitted, Evident, State
from routers.embedding.protocol import Embedder, FloatArray
from routers.errors import TrainingError

__all__ = ["RulesClassifier"]

PREFIX = "inner."
"""Of the inner kind's tensors."""

Rules = Mapping[str, Mapping[str, Sequence[str]]]

KEYS = ("keywords", "patterns")


class RulesClassifier:
    """A `CategoryClassifier` that knows some queries by rule.

    rules: by category, `keywords` (whole words, in any case) and `patterns` (regular expressions, in any case, found
    anywhere in the first 8192 characters, less for one that is slow to look for; see `routers.classify.patterns`).
    certainty: the probability of a category whose rules alone match, before calibration, which scales it with the rest.
    inner, inner_parameters: the kind that answers otherwise. What evidence it has is not shown: the gate of a router
    by rules looks at the posterior, so that a certainty passes.

    Raises:
        ValueError: a rule cannot be used; names category and pattern.
        UnknownClassifier: no such inner kind.
        TrainingError: parameters that the inner kind does not take.
    """

    classes_: tuple[str, ...]

    def __init__(
        self,
        embedder: Embedder,
        *,
        rules: Rules | None = None,
        certainty: Annotated[float, Field(gt=0.5, lt=1)] = 0.99,
        inner: str = "linear",
        inner_parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self._embedder = embedder
        self._rules = {category: {key: list(of[key]) for key in of} for category, of in (rules or {}).items()}
        self._expressions = {category: _expressions(category, of) for category, of in self._rules.items()}
        self._certainty = certainty
        self._kind = inner
        self._parameters = dict(inner_parameters or {})
        check_parameters(inner, self._parameters)
        self._inner = self._new()

    @staticmethod
    def sees(embedder: Embedder, parameters: Mapping[str, Any]) -> Embedder:
        """What of an embedder the inner kind wants to see."""
        return seen_by(parameters.get("inner", "linear"), embedder, parameters.get("inner_parameters") or {})

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """The inner kind learns; raises TrainingError for rules of a category that has no examples."""
        self._known(labels)
        self._inner.fit(texts, labels)
        return self

    def cross_fitted(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> FloatArray:
        """Fit, and give each text's logits without its fold: rules learn nothing, so those of the inner kind change."""
        self._known(labels)
        return self._ruled(texts, self._held_out(texts, labels, fold))

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories]: the logarithm of certainty where a rule settled it, else the inner kind's."""
        return self._ruled(texts, self._inner.logits(texts))

    def posterior(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], rows sum to 1, uncalibrated."""
        return softmax(self.logits(texts)).astype(np.float32)

    def settled(self, texts: Sequence[str]) -> list[str | None]:
        """The category that rules alone give each text, None where they do not."""
        return [self._settled(text) for text in texts]

    def state(self) -> State:
        """Those of the inner kind, each name with `inner.` before it."""
        return {PREFIX + name: tensor for name, tensor in self._inner.state().items()}

    def parameters(self) -> Mapping[str, Any]:
        """The keyword arguments of the constructor, those of the inner kind in full."""
        return {
            "rules": self._rules,
            "certainty": self._certainty,
            "inner": self._kind,
            "inner_parameters": dict(self._inner.parameters()),
        }

    def restore(self, classes: Sequence[str], state: State) -> Self:
        """Become what `state` describes; raises ValueError when it does not fit the classes or the embedder."""
        strange = sorted(name for name in state if not name.startswith(PREFIX))
        if strange:
            raise ValueError(f"tensor {strange[0]!r} is none of the inner classifier's, which begin with {PREFIX!r}")
        unknown = sorted(self._rules.keys() - set(classes))
        if unknown:
            raise ValueError(f"there are rules for {unknown[0]!r}, which is none of the categories")
        self._inner.restore(classes, {name.removeprefix(PREFIX): tensor for name, tensor in state.items()})
        self.classes_ = tuple(classes)
        return self

    def _new(self) -> CategoryClassifier:
        return classifier_kind(self._kind)(self._embedder, **self._parameters)

    def _known(self, labels: Sequence[str]) -> None:
        """Take the classes from the labels; a rule for anything else would never be able to speak."""
        self.classes_ = tuple(sorted(set(labels)))
        problems = [
            f"there are rules for category {category!r}, which has no examples; known: {', '.join(self.classes_)}"
            for category in sorted(self._rules.keys() - set(self.classes_))
        ]
        if problems:
            raise TrainingError(problems)

    def _held_out(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> FloatArray:
        """The inner kind's, by itself where it can do better than to be fitted once a fold."""
        if isinstance(self._inner, Evident):
            return self._inner.cross_read(texts, labels, fold)[0]
        if isinstance(self._inner, CrossFitted):
            return self._inner.cross_fitted(texts, labels, fold)
        self._inner.fit(texts, labels)
        logits = np.empty((len(texts), len(self.classes_)), dtype=np.float32)
        for number in np.unique(fold):
            others, held = np.flatnonzero(fold != number).tolist(), np.flatnonzero(fold == number).tolist()
            part = self._new().fit([texts[row] for row in others], [labels[row] for row in others])
            logits[held] = part.logits([texts[row] for row in held])
        return logits

    def _ruled(self, texts: Sequence[str], logits: FloatArray) -> FloatArray:
        """The logits with the rows that rules settle replaced."""
        ruled = logits.astype(np.float32, copy=True)
        others = math.log((1 - self._certainty) / (len(self.classes_) - 1))
        for row, category in zip(ruled, self.settled(texts), strict=True):
            if category is not None:
                row[:] = others
                row[self.classes_.index(category)] = math.log(self._certainty)
        return ruled

    def _settled(self, text: str) -> str | None:
        matching = [category for category, of in self._expressions.items() if any(one.found_in(text) for one in of)]
        return matching[0] if len(matching) == 1 else None


def _expressions(category: str, of: Mapping[str, Sequence[str]]) -> list[Expression]:
    """The rules of one category, compiled."""
    unknown = sorted(of.keys() - set(KEYS))
    if unknown:
        raise ValueError(f"rules of {category!r}: unknown key {unknown[0]!r}; known: {', '.join(KEYS)}")
    try:
        words = [keywords(of["keywords"])] if of.get("keywords") else []
        return words + [expression(written) for written in of.get("patterns", ())]
    except ValueError as error:
        raise ValueError(f"rules of {category!r}: {error}") from error
