"""What a category leads to: a plan, whoever made it. Knows names, neither scores nor budgets."""

from collections import abc
from dataclasses import dataclass
from typing import Literal

from routers.errors import RouterError

__all__ = ["Mapping", "Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a category is answered, `experts` best first.

    single: the first expert that answers, the rest are fallbacks. fuse: they draft; where their votes weigh something
    (`weights`, one an expert) the answer with the most weight wins, else `verdict`, or whoever else may, writes one.
    """

    kind: Literal["single", "fuse"]
    experts: tuple[str, ...]
    weights: tuple[float, ...] = ()
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """One plan a category."""

    plans: abc.Mapping[str, Plan]

    def plan(self, category: str) -> Plan:
        """The plan of a category; raises RouterError when it has none."""
        try:
            return self.plans[category]
        except KeyError:
            raise RouterError(f"no plan for {category!r}; there are plans for {', '.join(self.plans)}") from None
