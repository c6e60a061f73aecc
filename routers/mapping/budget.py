"""What routing may cost, and what is said where that is too little. Knows names and numbers, not how they are met."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from routers.errors import TrainingError

__all__ = ["Budget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Upper limits, None where there is none. All but the last are averages over the traffic.

    cost_per_query_usd: what the experts of a query cost. active_params_b: billions of parameters that a query passes
    through, the router's included. hosted_params_b: billions of parameters of all experts that any plan uses.
    """

    cost_per_query_usd: float | None = None
    active_params_b: float | None = None
    hosted_params_b: float | None = None

    def __post_init__(self) -> None:
        limits = {field.name: getattr(self, field.name) for field in fields(self)}
        wrong = {name: limit for name, limit in limits.items() if limit is not None and not 0 <= limit < math.inf}
        if wrong:
            raise TrainingError([f"budget: {name} is {limit}, not 0 or more" for name, limit in wrong.items()])
