"""By which figures a candidate is judged, how much worse it may be, and what an interval says of that.

The rule is non-inferiority: of every figure the 95 % interval of the paired difference must not reach beyond the
tolerance on the worse side. Too few queries therefore refuse a candidate rather than let it pass. All rules must
hold, so their number makes nothing pass by chance (an intersection-union test: Berger 1982, Technometrics 24).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from eval.metrics import Figure

__all__ = ["RULES", "TOLERANCES", "Rule", "Ruling", "Verdict", "ruled"]

Verdict: TypeAlias = Literal["better", "no worse", "worse", "not shown", "not measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One figure. sign: 1 where higher is better, -1 where lower is. relative: tolerance is a share of the serving's.

    guard: of a part of what another figure is of; it refuses only where it is shown to be worse.
    """

    meaning: str
    sign: Literal[1, -1]
    tolerance: float
    relative: bool = False
    guard: bool = False


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "accuracy": Rule(meaning="share of queries sent to their category, the gate included", sign=1, tolerance=0.02),
        "accuracy_known": Rule(
            meaning="the same, of those queries alone that the serving one has learned",
            sign=1,
            tolerance=0.02,
            guard=True,
        ),
        "ece": Rule(meaning="expected calibration error, 15 bins", sign=-1, tolerance=0.03),
        "false_reject": Rule(
            meaning="share that the gate sends away of the queries that both classify rightly", sign=-1, tolerance=0.03
        ),
        "gate_recall": Rule(
            meaning="share of queries of no category that go to the general one", sign=1, tolerance=0.05
        ),
        "score": Rule(meaning="mean score of the experts that the plans choose", sign=1, tolerance=0.02),
        "cost_usd": Rule(
            meaning="mean USD of the experts that the plans choose", sign=-1, tolerance=0.1, relative=True
        ),
    }
)

TOLERANCES: Mapping[str, float] = MappingProxyType({name: rule.tolerance for name, rule in RULES.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a rule says. difference: candidate minus serving, paired. tolerance: in the unit of the figure.

    verdict: `worse` beyond the tolerance; `not shown` where the interval reaches beyond it, so that it may be.
    """

    name: str
    serving: Figure
    candidate: Figure
    difference: Figure
    tolerance: float
    verdict: Verdict

    @property
    def refuses(self) -> bool:
        """Whether a candidate is refused for it."""
        unknown = self.verdict == "not shown" and (self.difference.ci95 is None or not RULES[self.name].guard)
        return self.verdict == "worse" or unknown

    @property
    def reason(self) -> str:
        """Why it refuses, as a sentence without its capital and stop; empty where it does not."""
        if not self.refuses:
            return ""
        if self.difference.ci95 is None:
            return f"{self.name}: too few queries to compare ({self.difference.n})"
        low, high = self.difference.ci95
        interval = f"{self.difference.value:+.4g} [{low:+.4g}, {high:+.4g}] on {self.difference.n} queries"
        if self.verdict == "worse":
            return f"{self.name}: worse by more than {self.tolerance:.4g}: {interval}"
        return f"{self.name}: may be worse by more than {self.tolerance:.4g}: {interval}; more queries would tell"

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "serving": self.serving.as_dict(),
            "candidate": self.candidate.as_dict(),
            "difference": self.difference.as_dict(),
            "tolerance": self.tolerance if math.isfinite(self.tolerance) else None,
            "verdict": self.verdict,
        }


def ruled(name: str, serving: Figure, candidate: Figure, difference: Figure, *, tolerance: float) -> Ruling:
    """The ruling on one figure. tolerance: as `RULES` gives it, a share where the rule says so."""
    rule = RULES[name]
    allowed = tolerance * abs(serving.value) if rule.relative else tolerance
    return Ruling(
        name=name,
        serving=serving,
        candidate=candidate,
        difference=difference,
        tolerance=allowed,
        verdict=_verdict(difference, rule, allowed),
    )


def _verdict(difference: Figure, rule: Rule, allowed: float) -> Verdict:
    if difference.ci95 is None or math.isnan(difference.value):
        return "not shown"
    least, most = sorted(-rule.sign * end for end in difference.ci95)  # of the loss
    if most <= allowed:
        return "better" if most < 0 else "no worse"
    loss = -rule.sign * difference.value
    return "worse" if least > 0 and loss > allowed else "not shown"
