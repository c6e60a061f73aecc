"""What every measure of agreement gives: distances between drafts, whoever judged them. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from orchestrator.config.fusion import Rule
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest, Draft

__all__ = ["Agreed", "Flags", "Matrix", "Measure", "NotMeasured"]

Matrix = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class NotMeasured(Exception):
    """Why a measure says nothing of these drafts, as the rest of a sentence. nll: what was found out all the same."""

    def __init__(self, reason: str, *, nll: Mapping[str, tuple[float | None, ...]] | None = None) -> None:
        super().__init__(reason)
        self.nll = dict(nll or {})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Agreed:
    """How far k drafts are from each other, in their order.

    distance: [k, k], row judge on column draft: d_j(y_i) >= 0, and 0 for a judge's own draft. A row of NaN is no judge.
    agreement: the same as a share, [k, k] in [0, 1], 1 is the same; NaN where there is no judge.
    same: which drafts are the same answer, [k, k]; None where the measure does not know of answers.
    answers: what was read out of each draft, by expert; None where it has no answer.
    nll: where likelihoods were measured, those of every judge. reason: what is to be said of it.
    shown: whether `agreement` compares pairs, so that it belongs into the decision.
    """

    measure: str
    distance: Matrix
    agreement: Matrix
    same: Flags | None = None
    answers: Mapping[str, str | None] = field(default_factory=dict)
    nll: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    reason: str = ""
    shown: bool = True

    @classmethod
    def by_pairs(cls, measure: str, agreement: Matrix, **fields: object) -> Agreed:
        """Of agreements in [0, 1] alone: d_j(y_i) = 1 - agree_j(y_i), and everybody agrees with himself."""
        agreement = np.clip(np.asarray(agreement, dtype=np.float64), 0.0, 1.0)
        np.fill_diagonal(agreement, 1.0)
        return cls(measure=measure, distance=1.0 - agreement, agreement=agreement, **fields)  # type: ignore[arg-type]


class Measure(Protocol):
    """A way to compare drafts. It raises `NotMeasured` where it cannot, and never an `ExpertError`."""

    async def agreed(self, drafts: Sequence[Draft], request: ChatRequest, trace: Trace, *, rule: Rule) -> Agreed:
        """How two drafts or more agree, all of which have text."""
        ...
