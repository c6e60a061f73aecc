"""Why a query was routed as it was: what spoke for the likeliest category, and what against the next."""

from dataclasses import dataclass
from typing import Literal

from routers.classify.contribution import Contribution
from routers.gate import GateReading, SignalReading

__all__ = ["Explanation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One query's likeliest category against the runner-up.

    margin: difference of their calibrated probabilities, 0 to 1. margin_logit: of their logits, as the classifier
    gives them: what calibration divides by its temperature, unless people stated the probabilities.
    unit: what the contributions add up to: the classifier's logit, or the score that its logit is a rising function
    of; None where the kind of classifier cannot say what it went by.
    top_score, runner_up_score: these sums, 0 without contributions.
    contributions: the most telling of each kind, ranked, and the others as one; their values are for the likeliest
    category and for the runner-up.
    signals: what the gate weighed; empty where it looks at the largest probability alone.
    """

    top: str
    runner_up: str
    margin: float
    margin_logit: float
    unit: Literal["logit", "score"] | None
    top_score: float
    runner_up_score: float
    contributions: tuple[Contribution, ...]
    gate: GateReading
    signals: tuple[SignalReading, ...]
