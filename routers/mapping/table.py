"""A learned mapping as arrays again: what it was chosen by, without the outcomes that it was learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routers.mapping.learned import LearnedMapping
from routers.mapping.matrix import Cell
from routers.mapping.shrinkage import Reals

__all__ = ["Table", "table_of"]

INTERVAL_Z = 1.96


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Table:
    """Categories and columns (experts, then fuse plans) as the mapping has them.

    shares: [c]. members: [k, e]. mean, sd: expected score and its standard deviation, [c, k], NaN where not known.
    gain_low: [c, k], -inf where not known. costs_usd: [c, k], None where not all are known. reference: position of the
    best single expert.
    """

    columns: tuple[str, ...]
    shares: Reals
    members: npt.NDArray[np.bool_]
    mean: Reals
    sd: Reals
    gain_low: Reals
    costs_usd: Reals | None
    reference: int

    @property
    def credit(self) -> Reals:
        """What experts are chosen by, [c, k]; -inf for fuse plans, whose gain is not on the reference."""
        credit: Reals = self.mean[:, [self.reference]] + self.gain_low
        credit[:, self.members.shape[1] :] = -np.inf
        return credit


def table_of(mapping: LearnedMapping) -> Table:
    """The numbers of a mapping's cells."""
    columns = (*mapping.experts, *mapping.fused)
    rows = [[mapping.cells[category].get(column, Cell(n=0)) for column in columns] for category in mapping.categories]

    def numbers(name: str, missing: float = np.nan) -> Reals:
        values = [[getattr(cell, name) for cell in row] for row in rows]
        return np.array([[missing if value is None else value for value in row] for row in values], dtype=np.float64)

    mean, costs = numbers("mean"), numbers("cost_usd")
    drafting = {name: fused.members for name, fused in mapping.fused.items()}
    members = [[expert in drafting.get(column, (column,)) for expert in mapping.experts] for column in columns]
    # Where an interval ends at 0 or 1 its other half says how wide it is.
    half = np.maximum(numbers("high") - mean, mean - numbers("low"))
    return Table(
        columns=columns,
        shares=_shares(mapping, numbers("n")),
        members=np.array(members, dtype=np.bool_),
        mean=mean,
        sd=half / INTERVAL_Z,
        gain_low=numbers("gain_low", -np.inf),
        costs_usd=None if np.isnan(costs).any() else costs,
        reference=columns.index(mapping.best_single),
    )


def _shares(mapping: LearnedMapping, n: Reals) -> Reals:
    """Of the traffic; of mappings that do not say, by the expert of whom most is known in each category."""
    if mapping.shares:
        return np.array([mapping.shares[category] for category in mapping.categories], dtype=np.float64)
    queries = n.max(axis=1)
    return queries / queries.sum() if queries.sum() else np.full(len(queries), 1.0 / len(queries))
