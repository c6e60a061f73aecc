"""What a category leads to: a plan, whoever made it. Knows names, neither scores nor budgets."""

from collections import abc
from dataclasses import dataclass
from typing import Literal

from routers.errors import RouterError

__all__ = ["Mapping", "Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a category is answered, `experts` best first.

    single: the first expert that answers, the rest are fallbacks. fuse: they draft, and a verdict is written.
    """

    kind: Literal["single", "fuse"]
    experts: tuple[str, ...]


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
