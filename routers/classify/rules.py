"""Rules for certainties: keywords and patterns that settle a category, and another kind of classifier for the rest.

A query that the rules of exactly one category match is that category's; where none match, or those of several, the
inner kind says what it says. Rules are written by people and stand in the parameters; only the inner kind learns.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from routers.calibrate import IntArray, Probabilities, softmax
from routers.classify.contribution import Contribution, whatever_the_text
from routers.classify.inner import Outer
from routers.classify.kinds import classifier_kind
from routers.classify.parameters import check_parameters
from routers.classify.patterns import Expression, expression, keywords
from routers.classify.protocol import CategoryClassifier, CrossFitted, Evident, Explained, State, stated_by
from routers.embedding.protocol import Embedder, FloatArray
from routers.errors import TrainingError

__all__ = ["RulesClassifier"]

PREFIX = "inner."
"""Of the inner kind's tensors."""

FAMILIAR = "familiar"
"""The tensor of what a query has for evidence that a rule settled."""

Rules = Mapping[str, Mapping[str, Sequence[str]]]

KEYS = ("keywords", "patterns")

INNER = "linear"


class RulesClassifier(Outer):
    """A `CategoryClassifier` that knows some queries by rule.

    rules: by category, `keywords` (whole words, in any case) and `patterns` (regular expressions, in any case, found
    anywhere in the first 8192 characters, less for one that is slow to look for; see `routers.classify.patterns`).
    certainty: the probability of a category whose rules alone match; calibration leaves it as it is.
    inner, inner_parameters: the kind that answers otherwise. Its evidence is passed on, or where it shows none its
    largest probability; a query that a rule settled has the strongest that was seen in training, so it passes the gate.

    Raises:
        ValueError: a rule cannot be used; names category and pattern.
        UnknownClassifier: no such inner kind.
        TrainingError: parameters that the inner kind does not take.
    """

    default_inner = INNER

    classes_: tuple[str, ...]
    familiar_: FloatArray
    signals: tuple[str, ...]
    unit: Literal["logit", "score"]

    def __init__(
        self,
        embedder: Embedder,
        *,
        rules: Rules | None = None,
        certainty: Annotated[float, Field(gt=0.5, lt=1)] = 0.99,
        inner: str = INNER,
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
        self.signals = self._inner.signals if isinstance(self._inner, Evident) else ("score",)
        self.unit = self._inner.unit if isinstance(self._inner, Explained) else "logit"

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """The inner kind learns; raises TrainingError for rules of a category that has no examples."""
        self._known(labels)
        self._inner.fit(texts, labels)
        self.familiar_ = self._inner_read(texts)[1].max(axis=0)
        return self

    def cross_read(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> tuple[FloatArray, FloatArray]:
        """Fit, and give each text's logits and evidence without its fold: rules learn nothing, so the inner kind's."""
        self._known(labels)
        logits, evidence = self._held_out(texts, labels, fold)
        self.familiar_ = evidence.max(axis=0)
        return self._ruled(texts, logits, evidence)

    def read(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Logits float32 [n, n_categories], and evidence float32 [n, signals]."""
        return self._ruled(texts, *self._inner_read(texts))

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories]: the logarithm of certainty where a rule settled it, else the inner kind's."""
        return self.read(texts)[0]

    def stated(self, texts: Sequence[str]) -> Probabilities:
        """float64 [n, n_categories]: the posterior of what rules settle, and what the inner kind was told; else NaN."""
        told = stated_by(self._inner, texts)
        rows = np.full((len(texts), len(self.classes_)), np.nan) if told is None else told
        for row, category in zip(rows, self.settled(texts), strict=True):
            if category is not None:
                row[:] = (1 - self._certainty) / (len(self.classes_) - 1)
                row[self.classes_.index(category)] = self._certainty
        return rows

    def explain(self, text: str, categories: Sequence[str]) -> Sequence[Contribution]:
        """The rules that settled it, which share what they add to the logit; else what the inner kind says.

        Where the inner kind cannot say, its logits stand as one part.
        """
        category = self._settled(text)
        if category is not None:
            return self._by_rule(text, category, categories)
        if isinstance(self._inner, Explained):
            return self._inner.explain(text, categories)
        logits = self._inner.logits([text])[0]
        values = tuple(float(logits[self.classes_.index(name)]) for name in categories)
        return (Contribution("other", f"the classifier {self._kind!r}", values),)

    def posterior(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], rows sum to 1, uncalibrated."""
        return softmax(self.logits(texts)).astype(np.float32)

    def settled(self, texts: Sequence[str]) -> list[str | None]:
        """The category that rules alone give each text, None where they do not."""
        return [self._settled(text) for text in texts]

    def state(self) -> State:
        """Those of the inner kind, each name with `inner.` before it, and `familiar` [signals]."""
        inner = {PREFIX + name: tensor for name, tensor in self._inner.state().items()}
        return {FAMILIAR: self.familiar_, **inner}

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
        inner = {name.removeprefix(PREFIX): tensor for name, tensor in state.items() if name.startswith(PREFIX)}
        strange = sorted(name for name in state if not name.startswith(PREFIX) and name != FAMILIAR)
        if strange:
            raise ValueError(f"tensor {strange[0]!r} is none of the inner classifier's, which begin with {PREFIX!r}")
        familiar = state.get(FAMILIAR, np.zeros(0))
        if familiar.shape != (len(self.signals),) or not np.isfinite(familiar).all():
            raise ValueError(f"tensor {FAMILIAR!r} must have a finite number for each of {', '.join(self.signals)}")
        unknown = sorted(self._rules.keys() - set(classes))
        if unknown:
            raise ValueError(f"there are rules for {unknown[0]!r}, which is none of the categories")
        self._inner.restore(classes, inner)
        self.familiar_ = np.ascontiguousarray(familiar, dtype=np.float32)
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

    def _inner_read(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        if isinstance(self._inner, Evident):
            return self._inner.read(texts)
        return _with_evidence(self._inner.logits(texts))

    def _held_out(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> tuple[FloatArray, FloatArray]:
        """The inner kind's, by itself where it can do better than to be fitted once a fold."""
        if isinstance(self._inner, Evident):
            return self._inner.cross_read(texts, labels, fold)
        if isinstance(self._inner, CrossFitted):
            return _with_evidence(self._inner.cross_fitted(texts, labels, fold))
        self._inner.fit(texts, labels)
        logits = np.empty((len(texts), len(self.classes_)), dtype=np.float32)
        for number in np.unique(fold):
            others, held = np.flatnonzero(fold != number).tolist(), np.flatnonzero(fold == number).tolist()
            part = self._new().fit([texts[row] for row in others], [labels[row] for row in others])
            logits[held] = part.logits([texts[row] for row in held])
        return _with_evidence(logits)

    def _ruled(self, texts: Sequence[str], logits: FloatArray, evidence: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both with the rows that rules settle replaced."""
        stated = self.stated(texts)
        settled = ~np.isnan(stated[:, :1])
        ruled = np.where(settled, np.log(stated), logits).astype(np.float32)
        return ruled, np.where(settled, self.familiar_, evidence).astype(np.float32)

    def _by_rule(self, text: str, category: str, categories: Sequence[str]) -> Sequence[Contribution]:
        other = math.log((1 - self._certainty) / (len(self.classes_) - 1))
        names = [name for one in self._expressions[category] if (name := one.named(text)) is not None]
        share = (math.log(self._certainty) - other) / len(names)
        values = tuple(share if name == category else 0.0 for name in categories)
        begins = whatever_the_text(np.full(len(categories), other))
        return (*(Contribution("rule", f"{name} of {category}", values) for name in names), begins)

    def _settled(self, text: str) -> str | None:
        matching = [category for category, of in self._expressions.items() if any(one.found_in(text) for one in of)]
        return matching[0] if len(matching) == 1 else None


def _with_evidence(logits: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Logits, and the largest probability, uncalibrated, as the one signal of a kind that shows none: [n, 1]."""
    return logits, softmax(logits).max(axis=1, keepdims=True).astype(np.float32)


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
