"""What held-out queries teach: calibration, gate threshold and conformal quantile, and how good those are.

Knows logits, labels and folds, neither texts nor classifiers.
"""

import math
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score

from routers.calibrate import (
    IntArray,
    Probabilities,
    conformal_quantile,
    conformal_sets,
    expected_calibration_error,
    kept_as_stated,
    softmax,
)
from routers.calibration import Calibration, CalibrationKind
from routers.embedding.protocol import FloatArray
from routers.gate import Gate
from routers.trained import CalibrationFit, CalibrationReport, CategoryReport, Measures

__all__ = ["HeldOut", "Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is set from held-out queries: see `Router`."""

    calibration: Calibration
    gate: Gate
    qhat: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Logits of queries from classifiers that had not seen them.

    classes: the columns. logits: float32 [n, k]. labels: column of the true category [n].
    fold: the fold in which each was held out [n]. evidence: float32 [n, signals] with their names, where the classifier
    shows any. stated: float64 [n, k], rows of NaN but for queries whose posterior people stated, see `Stated`: they say
    nothing of calibration.
    """

    classes: tuple[str, ...]
    logits: FloatArray
    labels: IntArray
    fold: IntArray
    evidence: FloatArray | None = None
    signals: tuple[str, ...] = ()
    stated: Probabilities | None = None

    def fitted(self, kind: CalibrationKind) -> Calibration:
        """Of this kind, by the queries whose posterior nobody stated."""
        free = np.ones(len(self.labels), dtype=np.bool_) if self.stated is None else np.isnan(self.stated[:, 0])
        return Calibration.fitted(kind, self.logits[free], self.labels[free]) if free.any() else Calibration()

    def calibrated(self, calibration: Calibration) -> Probabilities:
        """The posterior of these queries, [n, k]; as stated where it was."""
        return kept_as_stated(calibration.posterior(self.logits), self.stated)

    def calibrations(self) -> CalibrationReport:
        """Both kinds fitted on all folds but one and judged on that one, fold by fold, and which to take.

        Isotonic has many numbers to fit, so it has to earn them: it is taken where the log-loss that it saves a query
        is more than one standard error above none.
        """
        losses, fits = {}, {}
        for kind in get_args(CalibrationKind):
            posterior = self._cross_calibrated(kind)
            true = posterior[np.arange(len(self.labels)), self.labels]
            losses[kind] = -np.log(np.maximum(true, np.finfo(np.float64).tiny))  # a sharp softmax may end at 0
            error = expected_calibration_error(posterior, self.labels)
            fits[kind] = CalibrationFit(ece=error, log_loss=float(losses[kind].mean()))
        saved = losses["temperature"] - losses["isotonic"]
        gain, noise = float(saved.mean()), float(saved.std() / math.sqrt(len(saved)))
        return CalibrationReport(
            chosen="isotonic" if gain > noise else "temperature", gain=gain, standard_error=noise, **fits
        )

    def settings(self, *, alpha: float, false_reject: float, kind: CalibrationKind = "temperature") -> Settings:
        """Calibration first, of the kind that was chosen, then threshold and quantile on its probabilities.

        The router that serves is fitted on all folds and is a little better than those that gave these logits, so
        the conformal guarantee of the quantile is approximate, on the safe side as a rule.
        """
        calibration = self.fitted(kind)
        posterior = self.calibrated(calibration)
        return Settings(
            calibration=calibration,
            gate=Gate.learned(
                posterior,
                posterior.argmax(axis=1) == self.labels,
                false_reject=false_reject,
                evidence=self.evidence,
                names=self.signals,
            ),
            qhat=conformal_quantile(posterior, self.labels, alpha=alpha),
        )

    def measures(self, *, alpha: float, false_reject: float, kind: CalibrationKind = "temperature") -> Measures:
        """Figures that were not fitted on what they measure: each fold is judged by settings from the others.

        kind: of the calibration. It alone may have been chosen with all folds in view.
        """
        posterior, inside, kept = self._judged(alpha=alpha, false_reject=false_reject, kind=kind)
        rows = np.arange(len(self.labels))
        predicted = posterior.argmax(axis=1)
        right = predicted == self.labels
        return Measures(
            accuracy=float(right.mean()),
            macro_f1=float(f1_score(self.labels, predicted, average="macro", zero_division=0)),
            ece_before=expected_calibration_error(softmax(self.logits), self.labels),
            ece_after=expected_calibration_error(posterior, self.labels),
            coverage=float(inside[rows, self.labels].mean()),
            mean_set_size=float(inside.sum(axis=1).mean()),
            kept=float(kept.mean()),
            kept_accuracy=float(right[kept].mean()) if kept.any() else None,
            categories=tuple(self._category(column, right) for column in range(len(self.classes))),
        )

    def _category(self, column: int, right: npt.NDArray[np.bool_]) -> CategoryReport:
        here = self.labels == column
        return CategoryReport(category=self.classes[column], examples=int(here.sum()), recall=float(right[here].mean()))

    def _judged(
        self, *, alpha: float, false_reject: float, kind: CalibrationKind
    ) -> tuple[Probabilities, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Calibrated posterior, members of the sets, and who passes the gate; each fold by the others' settings."""
        posterior = np.empty(self.logits.shape, dtype=np.float64)
        inside = np.empty(self.logits.shape, dtype=np.bool_)
        kept = np.empty(len(self.labels), dtype=np.bool_)
        for fold in np.unique(self.fold):
            here = self.fold == fold
            others = self._rows(~here)
            settings = others.settings(alpha=alpha, false_reject=false_reject, kind=kind)
            posterior[here] = self._rows(here).calibrated(settings.calibration)
            inside[here] = conformal_sets(posterior[here], settings.qhat)
            seen = None if self.evidence is None else self.evidence[here]
            kept[here] = settings.gate.familiarity(posterior[here], seen) >= settings.gate.threshold
        return posterior, inside, kept

    def _cross_calibrated(self, kind: CalibrationKind) -> Probabilities:
        """The posterior of each fold by a calibration that was fitted on the others."""
        posterior = np.empty(self.logits.shape, dtype=np.float64)
        for fold in np.unique(self.fold):
            here = self.fold == fold
            posterior[here] = self._rows(here).calibrated(self._rows(~here).fitted(kind))
        return posterior

    def _rows(self, rows: npt.NDArray[np.bool_]) -> "HeldOut":
        return replace(
            self,
            logits=self.logits[rows],
            labels=self.labels[rows],
            fold=self.fold[rows],
            evidence=None if self.evidence is None else self.evidence[rows],
            stated=None if self.stated is None else self.stated[rows],
        )
