"""Examples in, a calibrated router and an honest report out. Writes no file; see `routers.artifact`."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold

from routers.calibrate import IntArray
from routers.classify.kinds import ClassifierKind, seen_by
from routers.classify.parameters import configured
from routers.classify.protocol import CategoryClassifier, CrossFitted, Evident, stated_by
from routers.embedding.cached import CachedEmbedder
from routers.embedding.protocol import Embedder, FloatArray
from routers.errors import TrainingError
from routers.examples import Example, distinct, examples_sha256
from routers.held_out import HeldOut, Settings
from routers.lessons import Lessons
from routers.router import Router
from routers.trained import Report, Trained

__all__ = ["LEAST_EXAMPLES", "Progress", "train"]

LEAST_EXAMPLES = 2
"""Fewest distinct examples of a category: one to learn from while the other is held out."""

EMBED_AT_ONCE = 256

Progress = Callable[[str, int, int], None]
"""Called as (stage, done, total); the stages are `embed`, `fold` and `fit`."""


def train(
    examples: Sequence[Example],
    *,
    general: str,
    embedder: Embedder,
    categories: Sequence[str] | None = None,
    classifier: str = "linear",
    parameters: Mapping[str, Any] | None = None,
    alpha: float = 0.1,
    false_reject: float = 0.05,
    folds: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> Trained:
    """Learn to tell the categories apart; the same examples and seed give the same router.

    general: the category that the gate sends to; it needs no examples. categories: all that there are, each needs
    examples; default: those of the examples. parameters: of the classifier kind. folds: fewer are used where a
    category has fewer examples.

    Raises:
        TrainingError: the examples cannot be learned from, or the kind does not take its parameters; every reason.
        UnknownClassifier: no such kind.
    """
    chosen = _learnable(examples, categories=categories, general=general)
    kind = configured(classifier, parameters or {}, embedder)
    embedder = seen_by(classifier, embedder, parameters)
    run = _Run(kind, chosen, embedder, progress or _silent)
    held_out, folds_used = run.held_out(folds=folds, seed=seed)
    calibrations = held_out.calibrations()
    settings = held_out.settings(alpha=alpha, false_reject=false_reject, kind=calibrations.chosen)
    measures = held_out.measures(alpha=alpha, false_reject=false_reject, kind=calibrations.chosen)
    report = Report(
        **measures.model_dump(),
        calibration=calibrations,
        examples=len(chosen),
        duplicates=len(examples) - len(chosen),
        data_sha256=examples_sha256(chosen),
        folds=folds_used,
        seed=seed,
        alpha=alpha,
        false_reject=false_reject,
        threshold=settings.gate.threshold,
        answered_fast=run.answered_fast,
    )
    return Trained(
        router=run.router(settings, general=general),
        report=report,
        kind=classifier,
        fingerprint=embedder.fingerprint,
        dim=embedder.dim,
        lessons=Lessons.of(chosen),
    )


class _Run:
    """One training run: every text is embedded once, however many classifiers are fitted."""

    def __init__(
        self,
        kind: ClassifierKind,
        examples: Sequence[Example],
        embedder: Embedder,
        progress: Progress,
    ) -> None:
        self.texts = [example.query for example in examples]
        self.labels = [example.category for example in examples]
        self.classes = tuple(sorted(set(self.labels)))
        self._kind = kind
        self._embedder = embedder
        self._cached = CachedEmbedder(embedder)
        self._progress = progress
        self._fitted: CategoryClassifier | None = None

    def held_out(self, *, folds: int, seed: int) -> tuple[HeldOut, int]:
        """Logits of every query from a classifier fitted without its fold, and how many folds there were."""
        self._embed()
        folds = max(2, min(folds, *Counter(self.labels).values()))
        fold_of = np.empty(len(self.texts), dtype=np.intp)
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        for fold, (_, held) in enumerate(splitter.split(np.zeros(len(self.texts)), self.labels)):
            fold_of[held] = fold
        logits, evidence, signals = self._cross_fitted(fold_of, folds)
        labels = np.asarray([self.classes.index(label) for label in self.labels], dtype=np.intp)
        held_out = HeldOut(
            classes=self.classes,
            logits=logits,
            labels=labels,
            fold=fold_of,
            evidence=evidence,
            signals=signals,
            stated=None if self._fitted is None else stated_by(self._fitted, self.texts),
        )
        return held_out, folds

    @property
    def answered_fast(self) -> float | None:
        """The share of held-out queries that a fast tier answered, None where there is none."""
        share: float | None = getattr(self._fitted, "answered_fast_", None)
        return share

    def _cross_fitted(self, fold_of: IntArray, folds: int) -> tuple[FloatArray, FloatArray | None, tuple[str, ...]]:
        """Held-out logits, evidence and its names; by the kind itself where it need not be fitted once a fold."""
        whole = self._kind(self._cached)
        if isinstance(whole, Evident | CrossFitted):
            self._progress("fold", 0, 1)
            self._fitted = whole
            evidence: FloatArray | None
            if isinstance(whole, Evident):
                logits, evidence = whole.cross_read(self.texts, self.labels, fold_of)
            else:
                logits, evidence = whole.cross_fitted(self.texts, self.labels, fold_of), None
            self._progress("fold", 1, 1)
            return logits, evidence, getattr(whole, "signals", ())
        logits = np.empty((len(self.texts), len(self.classes)), dtype=np.float32)
        for fold in range(folds):
            held = fold_of == fold
            fitted = self._kind(self._cached).fit(*self._rows(np.flatnonzero(~held)))
            logits[held] = fitted.logits(self._rows(np.flatnonzero(held))[0])
            self._progress("fold", fold + 1, folds)
        return logits, None, ()

    def router(self, settings: Settings, *, general: str) -> Router:
        """Fitted on everything, and moved from the cache to the embedder it will serve with."""
        self._progress("fit", 0, 1)
        fitted = self._fitted or self._kind(self._cached).fit(self.texts, self.labels)
        serving = self._kind(self._embedder).restore(fitted.classes_, fitted.state())
        self._progress("fit", 1, 1)
        return Router(
            classifier=serving,
            calibration=settings.calibration,
            gate=settings.gate,
            qhat=settings.qhat,
            general=general,
        )

    def _embed(self) -> None:
        total = len(self.texts)
        for start in range(0, total, EMBED_AT_ONCE):
            self._progress("embed", start, total)
            self._cached.embed(self.texts[start : start + EMBED_AT_ONCE])
        self._progress("embed", total, total)

    def _rows(self, rows: IntArray) -> tuple[list[str], list[str]]:
        return [self.texts[row] for row in rows], [self.labels[row] for row in rows]


def _learnable(examples: Sequence[Example], *, categories: Sequence[str] | None, general: str) -> list[Example]:
    """The distinct examples, or every reason why they cannot be learned from."""
    placed = [replace(e, source=e.source or f"example {number}") for number, e in enumerate(examples, start=1)]
    known = {*(categories if categories is not None else (e.category for e in examples)), general}
    problems = [
        f"{e.source}: category {e.category!r} is unknown; known: {', '.join(sorted(known))}"
        for e in placed
        if e.category not in known
    ]
    problems += [f"{e.source}: the query is empty; write one" for e in placed if not e.query.strip()]
    chosen: list[Example] = []
    try:
        chosen = distinct(placed)
    except TrainingError as error:
        problems += error.problems
    else:
        problems += _too_few(Counter(e.category for e in chosen), known=known, general=general)
    if problems:
        raise TrainingError(problems)
    return chosen


def _too_few(counts: Counter[str], *, known: set[str], general: str) -> list[str]:
    problems = [
        f"category {category!r} has {counts[category]} distinct examples and needs {LEAST_EXAMPLES}; add more"
        for category in sorted(known)
        if counts[category] < LEAST_EXAMPLES and not (category == general and counts[category] == 0)
    ]
    if not problems and len(counts) == 1:
        problems.append(f"only category {next(iter(counts))!r} has examples; a router needs two to tell apart")
    if not counts and not problems:
        problems.append("there are no examples; give each category some")
    return problems


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""
