"""Splits put together: what each method scored, called and spent on every judged query. Knows no figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.arrays import Flags, IntArray, Reals
from eval.suites.fusion.drafts import Drafted
from eval.suites.fusion.methods import METHODS, Judged
from routers.fusion import Decided
from routers.fusion.learn import scores_of

__all__ = ["Gathered", "gathered"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Gathered:
    """Judged queries [n] in the order of the data.

    rows: their positions there. winner, scores, calls, tokens: by method, [n]; tokens NaN where a text is not known.
    curve_scores, curve_calls: by number of drafts. right, drafts: how many drafts were right, of how many, [n].
    dissent: where the consensus dropped an answer, [n]. specialist: who of those that draft is best in the category
    of each query, on the learning part, [n].
    """

    rows: IntArray
    winner: Mapping[str, IntArray]
    scores: Mapping[str, Reals]
    calls: Mapping[str, Reals]
    tokens: Mapping[str, Reals]
    curve_scores: Mapping[int, Reals]
    curve_calls: Mapping[int, Reals]
    right: IntArray
    drafts: IntArray
    dissent: Flags
    specialist: IntArray


def gathered(data: Drafted, judged: Sequence[Judged]) -> Gathered:
    """Each query is judged once; every split asks as many experts."""
    rows = np.concatenate([one.rows for one in judged])
    sort = np.argsort(rows, kind="stable")
    rows = rows[sort]
    scores, tokens = data.scores[rows], data.tokens[rows]
    said = {name: _joined([one.said[name] for one in judged], sort) for name in METHODS}
    curve = {size: _joined([one.curve[size] for one in judged], sort) for size in judged[0].curve}
    drafting = np.concatenate([one.drafting for one in judged])[sort]
    return Gathered(
        rows=rows,
        winner={name: found.winner for name, found in said.items()},
        scores={name: scores_of(scores, found.winner) for name, found in said.items()},
        calls={name: _calls(found) for name, found in said.items()},
        tokens={name: np.where(found.asked, tokens, 0.0).sum(axis=1) for name, found in said.items()},
        curve_scores={size: scores_of(scores, found.winner) for size, found in curve.items()},
        curve_calls={size: _calls(found) for size, found in curve.items()},
        right=(drafting & (scores >= 0.5)).sum(axis=1),  # noqa: PLR2004 - nearer to right than to wrong
        drafts=drafting.sum(axis=1),
        dissent=np.concatenate([one.dissent for one in judged])[sort],
        specialist=np.concatenate([one.specialist for one in judged])[sort],
    )


def _joined(parts: Sequence[Decided], sort: IntArray) -> Decided:
    return Decided(
        np.concatenate([part.winner for part in parts])[sort], np.concatenate([part.asked for part in parts])[sort]
    )


def _calls(found: Decided) -> Reals:
    called: Reals = found.asked.sum(axis=1).astype(np.float64)
    return called
