"""Records as a table: how every expert of the pool did on every query. Knows no router."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.datasets import DataError, Dataset, Record
from eval.datasets.problems import Problems, did_you_mean
from eval.metrics.arrays import Flags, IntArray, Reals
from eval.runs import query_ids
from eval.splits import Split, folds_of, train_then_judged

__all__ = ["USD", "Pool", "Prices", "pool_of", "splits_of"]

USD = "USD a query"
ACTIVE = "billions of active parameters"
MOST_NAMED = 20
"""So many experts at most are listed in a message."""


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """What answers cost: of each expert on each query [n, e], NaN where it is not known, in one unit."""

    values: Reals
    unit: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pool:
    """Queries that every expert of the pool answered, in the order of the data; equal experts rank as they stand here.

    ids: unique, [n]. categories: of each query, None where it is not known. scores: 0 to 1, [n, e]. costs_usd: [n, e],
    NaN where it is not known, None where none is. active_params_b: of each expert [e], None where it is not known of
    every one. learned_only: so many queries at the beginning are for learning alone. notes: what was left out.
    """

    ids: tuple[str, ...]
    records: tuple[Record, ...]
    categories: tuple[str | None, ...]
    experts: tuple[str, ...]
    scores: Reals
    costs_usd: Reals | None
    active_params_b: Reals | None
    learned_only: int
    notes: tuple[str, ...]

    @property
    def prices(self) -> Prices | None:
        """Dollars where they are known, else active parameters, else None."""
        if self.costs_usd is not None:
            return Prices(self.costs_usd, USD)
        if self.active_params_b is not None:
            return Prices(np.tile(self.active_params_b, (len(self.ids), 1)), ACTIVE)
        return None

    @property
    def priced(self) -> Flags:
        """Whether it is known of each query what every expert costs, [n]."""
        prices = self.prices
        if prices is None:
            return np.zeros(len(self.ids), dtype=np.bool_)
        unpriced: Flags = np.any(np.isnan(prices.values), axis=1)
        return ~unpriced

    def of(self, rows: IntArray) -> Pool:
        """Some of the queries, none of which is for learning alone."""
        at = rows.tolist()
        return replace(
            self,
            ids=tuple(self.ids[row] for row in at),
            records=tuple(self.records[row] for row in at),
            categories=tuple(self.categories[row] for row in at),
            scores=self.scores[rows],
            costs_usd=None if self.costs_usd is None else self.costs_usd[rows],
            learned_only=0,
        )


def pool_of(
    datasets: Sequence[Dataset],
    *,
    train: Sequence[Dataset] = (),
    experts: Sequence[str] | None = None,
    active_params_b: Mapping[str, float] | None = None,
) -> Pool:
    """The pool of `experts`, with the queries that all of them answered; or of all experts that answered every query.

    train: data to learn from alone. active_params_b: billions, by expert.

    Raises:
        DataError: records without outcomes, unknown experts, or fewer than two of them.
    """
    _check(datasets, train)
    every = [record for dataset in (*train, *datasets) for record in dataset.records]
    ids = (*(query_ids(train) if train else ()), *query_ids(datasets))
    learned_only = sum(len(dataset.records) for dataset in train)
    asked = [row for row, record in enumerate(every) if record.outcomes]
    counts = Counter(expert for row in asked for expert in every[row].outcomes)
    pool = _complete(counts, len(asked)) if experts is None else _named(experts, counts)
    rows = [row for row in asked if all(expert in every[row].outcomes for expert in pool)]
    if not rows:
        raise DataError([f"--experts: no query was answered by all of {_listed(pool, counts)}"])
    records = tuple(every[row] for row in rows)
    return Pool(
        ids=tuple(ids[row] for row in rows),
        records=records,
        categories=tuple(record.category if record.in_scope else None for record in records),
        experts=pool,
        scores=np.array([[record.outcomes[expert].score for expert in pool] for record in records], dtype=np.float64),
        costs_usd=_costs(records, pool),
        active_params_b=_active(pool, active_params_b or {}),
        learned_only=sum(row < learned_only for row in rows),
        notes=(
            *_row_notes(every, asked, rows, counts=counts, pool=pool),
            *(_gap_notes(counts, len(asked)) if experts is None else ()),
        ),
    )


def splits_of(pool: Pool, *, folds: int, seed: int) -> tuple[list[Split], int]:
    """What is learned from and what is judged by it; and how many queries are not learned from, as they are judged.

    Raises:
        DataError: too few queries.
    """
    if not pool.learned_only:
        return list(folds_of(pool.records, folds=folds, seed=seed)), 0
    split = train_then_judged(pool.records, pool.learned_only)
    if not len(split.learned) or not len(split.judged):
        counts = f"{len(split.learned)} queries to learn from and {len(split.judged)} to judge by"
        raise DataError([f"{counts}, once shared ones are out"])
    return [split], pool.learned_only - len(split.learned)


def _check(datasets: Sequence[Dataset], train: Sequence[Dataset]) -> None:
    problems = Problems()
    for side in (train, datasets):
        names = [dataset.name for dataset in side]
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            problems.add(name, "named twice: its queries would count twice")
    for dataset in dict.fromkeys([dataset.name for dataset in (*train, *datasets) if not _answered(dataset)]):
        problems.add(dataset, "no record says how experts did (outcomes); read such a set, as mmlu-pro or routerbench")
    problems.check()


def _answered(dataset: Dataset) -> bool:
    return any(record.outcomes for record in dataset.records)


def _named(experts: Sequence[str], counts: Counter[str]) -> tuple[str, ...]:
    problems = Problems()
    for expert in experts:
        if expert not in counts:
            known = _listed(sorted(counts), counts)
            problems.add(f"--experts: {expert}", f"has no outcomes{did_you_mean(expert, counts)}; known are {known}")
    if not problems.count and len(set(experts)) < 2:  # noqa: PLR2004 - a choice is between two
        problems.add("--experts", f"routing is between two or more; known are {_listed(sorted(counts), counts)}")
    problems.check()
    return tuple(dict.fromkeys(experts))


def _complete(counts: Counter[str], rows: int) -> tuple[str, ...]:
    pool = tuple(expert for expert, count in counts.items() if count == rows)
    if len(pool) < 2:  # noqa: PLR2004 - a choice is between two
        asked = _listed(sorted(counts, key=lambda expert: (-counts[expert], expert)), counts)
        raise DataError([f"no two experts answered all {rows} queries; name some by --experts: {asked}"])
    return pool


def _listed(experts: Sequence[str], counts: Counter[str]) -> str:
    more = len(experts) - MOST_NAMED
    shown = ", ".join(f"{expert} ({counts[expert]})" for expert in experts[:MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def _costs(records: Sequence[Record], pool: Sequence[str]) -> Reals | None:
    costs = np.array([[record.outcomes[expert].cost_usd for expert in pool] for record in records], dtype=np.float64)
    return None if np.isnan(costs).all() else costs


def _active(pool: Sequence[str], known: Mapping[str, float]) -> Reals | None:
    return np.array([known[expert] for expert in pool]) if all(expert in known for expert in pool) else None


def _row_notes(
    every: Sequence[Record], asked: Sequence[int], rows: Sequence[int], *, counts: Counter[str], pool: Sequence[str]
) -> tuple[str, ...]:
    notes = []
    if unasked := len(every) - len(asked):
        notes.append(f"{unasked} queries are left out: no expert was asked (outcomes)")
    if len(rows) < len(asked):
        lacking = [expert for expert in pool if counts[expert] < len(asked)]
        notes.append(f"{len(asked) - len(rows)} queries are left out: they lack outcomes of {_listed(lacking, counts)}")
    return tuple(notes)


def _gap_notes(counts: Counter[str], rows: int) -> tuple[str, ...]:
    gaps = [expert for expert in counts if counts[expert] < rows]
    if not gaps:
        return ()
    found = _listed(gaps, counts)
    return (f"experts that did not answer all {rows} queries are not in the pool: {found}; --experts can name them",)
