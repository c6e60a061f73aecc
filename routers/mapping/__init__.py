"""What a category leads to: `plan` has the words; `learn` makes plans of graded scores, under a budget.

Importing this package loads neither numpy nor scipy: the service needs the words alone.
"""

from routers.mapping.plan import Mapping, Plan

__all__ = ["Mapping", "Plan"]
