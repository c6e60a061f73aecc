"""A trained router at work: queries in, one routing each. Knows no files and does not learn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from routers.calibrate import Probabilities, kept_as_stated
from routers.calibration import Calibration
from routers.classify.contribution import most_telling, total
from routers.classify.protocol import CategoryClassifier, Evident, Explained, stated_by
from routers.embedding.protocol import FloatArray
from routers.explanation import Explanation
from routers.gate import Gate, GateReading

__all__ = ["Router", "Routing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What the router found out about one query.

    posterior: (category, calibrated probability), likeliest first, summing to 1; the general category is among them
    only where it had examples to learn from.
    category: where the query goes, which is the general category when the gate fired.
    top: the likeliest category, whatever the gate says. confidence: its probability.
    category_set: the conformal set, likeliest first, never empty.
    """

    posterior: tuple[tuple[str, float], ...]
    category: str
    top: str
    confidence: float
    category_set: tuple[str, ...]
    gate: GateReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A fitted classifier with what its held-out queries taught.

    calibration: makes probabilities of the logits. qhat: the conformal score up to which a category is in the set.
    general: the category for what the gate rejects.
    """

    classifier: CategoryClassifier
    calibration: Calibration
    gate: Gate
    qhat: float
    general: str
    _classes: np.ndarray[tuple[int], np.dtype[np.object_]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hold the classes so that a thousand of them are put in order at once."""
        object.__setattr__(self, "_classes", np.array(self.classifier.classes_, dtype=object))

    @property
    def categories(self) -> tuple[str, ...]:
        """Every category that a query can be sent to, sorted."""
        return tuple(sorted({*self.classifier.classes_, self.general}))

    def classify(self, texts: Sequence[str]) -> list[Routing]:
        """One routing a text. Blocking: it embeds."""
        if not texts:
            return []
        logits, evidence = self._read(texts)
        posterior = kept_as_stated(self.calibration.posterior(logits), stated_by(self.classifier, texts))
        return [self._routing(*parts) for parts in zip(posterior, evidence, strict=True)]

    def explain(self, text: str, *, most: int = 3) -> Explanation:
        """Why `classify` says what it says of a text. Blocking, and dearer than classifying.

        most: contributions of a kind (words, examples, ...) that stand by themselves; the others are one, so that all
        of them add up.
        """
        logits, (evidence,) = self._read([text])
        (row,) = kept_as_stated(self.calibration.posterior(logits), stated_by(self.classifier, [text]))
        first, second = (int(column) for column in np.argsort(-row, kind="stable")[:2])
        top, runner_up = self.classifier.classes_[first], self.classifier.classes_[second]
        explained = self.classifier if isinstance(self.classifier, Explained) else None
        parts = explained.explain(text, (top, runner_up)) if explained else ()
        sums = total(parts) if parts else (0.0, 0.0)
        return Explanation(
            top=top,
            runner_up=runner_up,
            margin=float(row[first] - row[second]),
            margin_logit=float(logits[0, first]) - float(logits[0, second]),
            unit=explained.unit if explained else None,
            top_score=sums[0],
            runner_up_score=sums[1],
            contributions=most_telling(parts, most=most),
            gate=self.gate.read(row, evidence),
            signals=() if evidence is None else self.gate.weighed(evidence),
        )

    def _read(self, texts: Sequence[str]) -> tuple[FloatArray, Sequence[FloatArray | None]]:
        if self.gate.signals and hasattr(self.classifier, "read"):
            # `Evident` without asking its protocol, which would take as long as a static decision's head.
            logits, evidence = cast("Evident", self.classifier).read(texts)
            return logits, list(evidence)
        return self.classifier.logits(texts), [None] * len(texts)

    def _routing(self, row: Probabilities, evidence: FloatArray | None) -> Routing:
        order = np.argsort(-row, kind="stable")
        ranked: list[str] = self._classes[order].tolist()
        posterior = tuple(zip(ranked, row[order].tolist(), strict=True))
        reading = self.gate.read(row, evidence)
        top, confidence = posterior[0]
        members = max(
            1, int(np.count_nonzero((1.0 - row) <= self.qhat))
        )  # as `conformal_sets`; these are the likeliest
        return Routing(
            posterior=posterior,
            category=top if reading.fired is None else self.general,
            top=top,
            confidence=confidence,
            category_set=tuple(ranked[:members]),
            gate=reading,
        )
