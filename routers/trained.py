"""What a training run leaves: the router, the report of how well it did on queries it had not seen, the mapping."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from routers.calibration import CalibrationKind
from routers.lessons import Lessons
from routers.mapping.learned import LearnedMapping
from routers.router import Router

__all__ = [
    "CalibrationFit",
    "CalibrationReport",
    "CategoryReport",
    "Mapped",
    "Measures",
    "Placed",
    "Report",
    "Trained",
]


class CategoryReport(BaseModel):
    """One category: its examples, and the share of them that was found, 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: str
    examples: int
    recall: float


class CalibrationFit(BaseModel):
    """How good one kind of calibration was, on folds that it was not fitted on.

    ece: calibration error, 0 to 1. log_loss: mean of -ln of the true category's probability, 0 and up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ece: float
    log_loss: float


class CalibrationReport(BaseModel):
    """The kinds of calibration side by side, and the one that was taken.

    gain: log-loss that isotonic saves a query; below 0 it costs some. standard_error: of the gain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chosen: CalibrationKind
    temperature: CalibrationFit
    isotonic: CalibrationFit
    gain: float
    standard_error: float


class Measures(BaseModel):
    """How well held-out queries were routed, by classifiers and settings that had not seen them.

    accuracy, macro_f1: of the likeliest category, gate aside, 0 to 1.
    ece_before, ece_after: calibration error before and after calibration, 0 to 1.
    coverage: share of queries whose category set holds the true category. mean_set_size: categories in a set.
    kept: share of all queries that pass the gate. kept_accuracy: of those, None when none passes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: float
    macro_f1: float
    ece_before: float
    ece_after: float
    coverage: float
    mean_set_size: float
    kept: float
    kept_accuracy: float | None
    categories: tuple[CategoryReport, ...]


class Report(Measures):
    """The measures, and how the router came about.

    examples: distinct queries learned from. duplicates: further ones that said the same. data_sha256: of the set.
    folds, seed, alpha, false_reject: how it was trained. threshold: of the gate. calibration: which kind, and why.
    answered_fast: share of held-out queries that a fast tier answered, None where the classifier has none.
    """

    examples: int
    duplicates: int
    data_sha256: str
    folds: int
    seed: int
    alpha: float
    false_reject: float
    threshold: float
    calibration: CalibrationReport
    answered_fast: float | None = None


class Placed(BaseModel):
    """An expert that was added to a mapping from a few shots: how many, and the hash of their file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expert: str
    shots: int
    data_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A mapping fresh from learning, and what it was learned from, to be known again.

    data_sha256: of the graded outcomes. active_params_b: billions, by expert, where known. max_drafts: of the fuse
    plans that were tried, None where nothing was known of any. placed: experts that were added later, from shots that
    are not among the graded outcomes.
    """

    learned: LearnedMapping
    data_sha256: str
    active_params_b: Mapping[str, float]
    max_drafts: int | None = None
    placed: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A router fresh from training. kind: of its classifier. fingerprint, dim: of the embedder it was trained on.

    mapping: None where there were no graded outcomes to learn one from. lessons: what all that was learned from.
    """

    router: Router
    report: Report
    kind: str
    fingerprint: str
    dim: int
    mapping: Mapped | None = None
    lessons: Lessons | None = None
