"""May a candidate take the place of the artifact that serves: a fair comparison, rules, and the switch."""

from eval.promotion.flow import Promotion, promote
from eval.promotion.rules import TOLERANCES

__all__ = ["TOLERANCES", "Promotion", "promote"]
